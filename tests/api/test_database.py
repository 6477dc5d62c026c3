"""The database: migrated at start, SQLite by default, PostgreSQL by URL."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from api.database import Base, Database
from api.errors import ConfigurationError
from api.keys import KeyStore
from api.reviews import ReviewDesk
from api.store import PromptSetStore

from .conftest import FakeEngineer
from .test_reviews import BASE


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'merl.db'}"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of its own, reached over a socket in a temporary folder."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    bin_dir, root = found[-1], tmp_path_factory.mktemp("postgres")
    is_root = os.geteuid() == 0
    if is_root:  # the server refuses to run as root
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user 'postgres'")
        shutil.chown(root, owner.pw_uid, owner.pw_gid)
        for folder in (root, *root.parents[:2]):
            folder.chmod(0o755)
    user = {"user": "postgres"} if is_root else {}
    data = root / "data"

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=root, **user)

    run(bin_dir / "initdb", "-D", data, "-U", "merl", "--auth=trust", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={root} -c fsync=off"
    run(bin_dir / "pg_ctl", "-D", data, "-w", "-l", root / "log", "-o", options, "start")
    try:
        run(bin_dir / "createdb", "-h", root, "-U", "merl", "merl")
        yield f"postgresql://merl@/merl?host={root}"
    finally:
        run(bin_dir / "pg_ctl", "-D", data, "-W", "-m", "immediate", "stop")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    opened = Database(request.getfixturevalue(f"{request.param}_url"))
    yield opened
    opened.close()


def test_the_migrations_make_what_the_code_declares(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_stored_sets_reviews_and_keys_are_there_after_a_restart(database: Database) -> None:
    PromptSetStore(database).add(BASE)
    desk = ReviewDesk(database, FakeEngineer())
    who = {"reviewer": "R", "reason": "because", "api_key": None}
    review = desk.open("study", BASE.id, **who)
    made = KeyStore(database).create("lab", ["read"])
    again = Database(database.engine.url.render_as_string(hide_password=False))
    try:
        assert PromptSetStore(again).get(BASE.id) == BASE
        assert ReviewDesk(again, FakeEngineer()).get(review.id) == review
        assert KeyStore(again).find(made.secret) is not None
    finally:
        again.close()


def test_a_set_is_stored_once(database: Database) -> None:
    store = PromptSetStore(database)
    store.add(BASE)
    assert not store.add(BASE)


def test_a_database_from_before_the_migrations_is_taken_over(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        Base.metadata.tables["prompt_sets"].create(connection)
        connection.execute(
            text("INSERT INTO prompt_sets VALUES (:id, '2026-01-01', NULL, NULL, 1, :content)"),
            {"id": BASE.id, "content": BASE.to_json()},
        )
    engine.dispose()
    database = Database(sqlite_url)
    assert PromptSetStore(database).get(BASE.id) == BASE
    database.close()


def test_a_database_of_a_newer_version_is_refused_in_one_line(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(ConfigurationError, match="newer version") as caught:
        Database(sqlite_url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://merl@127.0.0.1:9/merl", "nosuch://x", "no url", "sqlite:////nowhere/x.db"]
)
def test_a_database_that_cannot_be_opened_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MERL_DATABASE_URL") as caught:
        Database(url)
    assert "\n" not in str(caught.value)
