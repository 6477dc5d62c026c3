"""The relational database, SQLite by default and PostgreSQL by URL: its tables and migrations."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    String,
    Text,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from api.errors import ConfigurationError

_MIGRATION_LOCK: Final = 0x6D65726C
"""Number of the PostgreSQL advisory lock that lets one process migrate at a time."""


class Base(DeclarativeBase):
    """Base of every table."""


class PromptSetRow(Base):
    """A prompt set; never changed."""

    __tablename__ = "prompt_sets"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    label_set: Mapped[str | None] = mapped_column(String(200))
    llm: Mapped[str | None] = mapped_column(String(200))
    n_labels: Mapped[int] = mapped_column(Integer)
    content: Mapped[str] = mapped_column(Text)


class ReviewRow(Base):
    """A review of one prompt set, under the name that its result is published by."""

    __tablename__ = "reviews"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    base_id: Mapped[str] = mapped_column(ForeignKey("prompt_sets.id"))
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class ReviewEventRow(Base):
    """What someone did in a review; only ever added."""

    __tablename__ = "review_events"

    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    action: Mapped[str] = mapped_column(String(16))
    reviewer: Mapped[str] = mapped_column(String(100))
    api_key: Mapped[str | None] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(Text)
    label: Mapped[str | None] = mapped_column(Text)
    phrase: Mapped[str | None] = mapped_column(Text)
    replacement: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class PublicationRow(Base):
    """A version of a reviewed prompt set; only ever added."""

    __tablename__ = "publications"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    prompt_set_id: Mapped[str] = mapped_column(ForeignKey("prompt_sets.id"), index=True)
    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"))
    reviewer: Mapped[str] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class ApiKeyRow(Base):
    """An API key, known by its hash alone."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Database:
    """A database whose tables are those of this program; migrated when it is opened.

    Args:
        url: SQLAlchemy URL, such as `postgresql+psycopg://user@host/merl`.

    Raises:
        ConfigurationError: The database cannot be opened or migrated.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = create_engine(_with_driver(url), pool_pre_ping=True)
            if self.engine.dialect.name == "sqlite":
                event.listen(self.engine, "connect", _prepare_sqlite)
            migrate(self.engine)
        except (SQLAlchemyError, ImportError, OSError) as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            msg = f"the database (MERL_DATABASE_URL) cannot be opened: {reason}"
            raise ConfigurationError(msg) from error

    def session(self) -> Session:
        """Return a new session; use it as a context."""
        return Session(self.engine)

    @property
    def description(self) -> str:
        """Kind and revision, without address or password."""
        with self.engine.connect() as connection:
            return f"{self.engine.dialect.name}, revision {_revision(connection)}"

    def check(self) -> None:
        """Ask the server for a sign of life.

        Raises:
            OperationalError: It gives none.
        """
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _with_driver(url: str) -> Any:
    """Return the URL with our PostgreSQL driver where it names none."""
    parsed = make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _revision(connection: Any) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine) -> None:
    """Bring the tables to this program's revision; does nothing where they are there.

    Raises:
        ConfigurationError: The database was made by a newer version of this program.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "api:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        current = _revision(connection)
        if current == scripts.get_current_head():
            return
        if current is not None and current not in known:
            msg = (
                f"the database (MERL_DATABASE_URL) has revision {current!r}, which a newer version "
                f"of this program made; install that version, or give another database"
            )
            raise ConfigurationError(msg)
        config.attributes["connection"] = connection
        if current is None and inspect(connection).has_table(PromptSetRow.__tablename__):
            command.stamp(config, "0001")
        command.upgrade(config, "head")


def now() -> datetime:
    """Return this moment, to the microsecond, in UTC."""
    return datetime.now(UTC)


def in_utc(moment: datetime) -> datetime:
    """Return a stored moment with its zone, which SQLite does not keep."""
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
