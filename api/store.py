"""Prompt sets on disk: stored once by content hash, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import DateTime, Integer, String, Text, create_engine, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from api.errors import ConfigurationError
from ckepe.prompt_set import PromptSet


class _Base(DeclarativeBase):
    pass


class _StoredPromptSet(_Base):
    __tablename__ = "prompt_sets"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    label_set: Mapped[str | None] = mapped_column(String(200))
    llm: Mapped[str | None] = mapped_column(String(200))
    n_labels: Mapped[int] = mapped_column(Integer)
    content: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """What a list of prompt sets says of each."""

    id: str
    created_at: datetime
    label_set: str | None
    llm: str | None
    n_labels: int


class PromptSetStore:
    """Immutable, content-addressed prompt sets in a relational database.

    Args:
        url: SQLAlchemy URL.

    Raises:
        ConfigurationError: The database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = create_engine(url)
            _Base.metadata.create_all(self._engine)
        except (SQLAlchemyError, ImportError) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            msg = f"the database of prompt sets (MERL_DATABASE_URL) cannot be opened: {reason}"
            raise ConfigurationError(msg) from error

    def add(self, prompt_set: PromptSet) -> bool:
        """Store a set; returns False if it was there already."""
        row = _StoredPromptSet(
            id=prompt_set.id,
            created_at=datetime.now(UTC),
            label_set=prompt_set.label_set,
            llm=prompt_set.generator.llm,
            n_labels=len(prompt_set.prompts),
            content=prompt_set.to_json(),
        )
        with Session(self._engine) as session:
            if session.get(_StoredPromptSet, prompt_set.id) is not None:
                return False
            session.add(row)
            try:
                session.commit()
            except IntegrityError:
                return False
        return True

    def get(self, prompt_set_id: str) -> PromptSet | None:
        """Return a stored set, or None."""
        with Session(self._engine) as session:
            row = session.get(_StoredPromptSet, prompt_set_id)
            return None if row is None else PromptSet.model_validate_json(row.content)

    def count(self) -> int:
        """Return how many sets are stored."""
        with Session(self._engine) as session:
            return session.scalar(select(func.count()).select_from(_StoredPromptSet)) or 0

    def page(self, *, limit: int, offset: int) -> Sequence[StoredSummary]:
        """Return summaries, the newest first."""
        table = _StoredPromptSet
        query = (
            select(table.id, table.created_at, table.label_set, table.llm, table.n_labels)
            .order_by(table.created_at.desc(), table.id)
            .limit(limit)
            .offset(offset)
        )
        with Session(self._engine) as session:
            return [
                StoredSummary(found.id, _in_utc(found.created_at), *found[2:])
                for found in session.execute(query)
            ]

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def _in_utc(moment: datetime) -> datetime:
    """Return a stored moment with its zone, which SQLite does not keep."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
