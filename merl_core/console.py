"""What the commands share: one-line errors, a progress bar, JSON output, common options."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knowledge_sources.errors import KnowledgeError
from knowledge_sources.label_sets import label_set
from merl_core.errors import MerlError

if TYPE_CHECKING:
    from merl_core.datasets.manifest import Manifest

_error_console: Final = Console(stderr=True)
Checkpoint = Annotated[str, typer.Option("--checkpoint", help="A folder or a bundled name.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Backend = Annotated[
    str,
    typer.Option(
        help="What runs the ECG tower: torch-float32, torch-bfloat16, torch-compile, "
        "openvino-float32 or openvino-bfloat16 (extra `cpu`)."
    ),
]
Root = Annotated[Path, typer.Option(help="Folder that the manifest's paths start from.")]


@contextmanager
def reported() -> Iterator[None]:
    """Turn bad input into one line and exit status 2."""
    try:
        yield
    except (MerlError, KnowledgeError) as error:
        say(f"error: {error}")
        raise typer.Exit(2) from error
    except OSError as error:
        say(f"error: {error.strerror}: {str(error.filename)!r}")
        raise typer.Exit(2) from error


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Draw a bar on stderr; yields a function that takes what is done and the total."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_error_console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def write_json(content: dict[str, Any], output: Path | None) -> None:
    """Write to a file, whose folder is made, or to stdout; a failure is one line."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    if output is None:
        typer.echo(text)
        return
    with reported():
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", encoding="utf-8")


def say_columns(table: "Manifest", label_set_name: str | None) -> None:
    """Name the columns of a manifest that are no classes, and the classes that have no column."""
    if table.ignored:
        say(f"columns without 0/1 values are ignored: {', '.join(table.ignored)}")
    if label_set_name is not None and table.labels:
        heads = {head.partition(":")[2] or head for head in table.labels}
        codes = [label.code for label in label_set(label_set_name).labels]
        absent = [code for code in codes if code not in heads]
        if absent:
            say(f"classes of {label_set_name} without a column are left out: {', '.join(absent)}")


def say(message: str) -> None:
    """Print a line on stderr."""
    _error_console.print(message, highlight=False, soft_wrap=True, markup=False)
