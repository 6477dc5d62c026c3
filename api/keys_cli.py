"""`merl keys`: API keys with scopes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.keys import ApiKey, KeyStore, NewKey, Scope
from api.settings import load_settings, prepare_data_dir

app = typer.Typer(
    name="keys",
    help="API keys: made, listed, rotated and revoked, also while the service runs.",
    no_args_is_help=True,
)
_out = Console()

KeyId = Annotated[str, typer.Argument(help="Id of the key, as `merl keys list` shows it.")]


@contextmanager
def _store() -> Iterator[KeyStore]:
    from api.database import Database

    settings = load_settings()
    prepare_data_dir(settings)
    database = Database(settings.sqlalchemy_url)
    try:
        yield KeyStore(database)
    finally:
        database.close()


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what it is for; shown in audit trails.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; repeat for several.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it ends.")] = None,
) -> None:
    """Make a key and print it, once."""
    with _store() as store:
        valid_for = None if days is None else timedelta(days=days)
        _show_new(store.create(name, scope, valid_for=valid_for))


@app.command(name="list")
def list_keys() -> None:
    """List the keys, without their secrets."""
    with _store() as store:
        table = Table("id", "name", "scopes", "made", "ends", "state", box=None, pad_edge=False)
        for key in store.all():
            ends = key.expires_at
            table.add_row(
                key.id,
                key.name,
                " ".join(key.scopes),
                f"{key.created_at:%Y-%m-%d}",
                "" if ends is None else f"{ends:%Y-%m-%d %H:%M}",
                _state(key),
            )
        _out.print(table)


@app.command()
def rotate(
    key_id: KeyId,
    grace_hours: Annotated[
        float, typer.Option(min=0, help="Hours for which the old key still opens.")
    ] = 24.0,
) -> None:
    """Make a successor with the same name and scopes; the old key ends after a while."""
    with _store() as store:
        _show_new(store.rotate(key_id, grace=timedelta(hours=grace_hours)))


@app.command()
def revoke(key_id: KeyId) -> None:
    """End a key at once; a running service notices within five seconds."""
    with _store() as store:
        key = store.revoke(key_id)
    _out.print(f"{key.id} ({key.name}) is revoked", highlight=False)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid else "ended"


def _show_new(made: NewKey) -> None:
    Console(stderr=True).print(
        f"key {made.key.id} for {made.key.name!r}: {' '.join(made.key.scopes)}. "
        f"The secret below is shown this once:",
        highlight=False,
        soft_wrap=True,
    )
    typer.echo(made.secret)
