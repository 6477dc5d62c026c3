"""Sub-commands `merl prompts` and `merl knowledge`.

The context object of the command is an `EngineerFactory`, set by whoever mounts these: it knows
where the embedder, the index and the language model are.
"""

import csv
import dataclasses
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeVar, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ckepe.composition import Style
from ckepe.diff import diff_prompt_sets
from ckepe.errors import CkepeError
from ckepe.prompt_set import LabelPrompt, read_prompt_set
from knowledge_sources.knowledge_base import KnowledgeBase

if TYPE_CHECKING:  # they load the vector store, which most commands do without
    from ckepe.pipeline import LLMMode, PromptEngineer
    from ckepe.retrieval import Hit

prompts_app = typer.Typer(no_args_is_help=True, help="Engineer, verify, read and compare prompts.")
knowledge_app = typer.Typer(no_args_is_help=True, help="Search and show what the sources hold.")

_out: Final = Console()
_err: Final = Console(stderr=True)
_T = TypeVar("_T")
_VERDICT_COLUMNS: Final = ("verdict", "relation", "evidence", "reason")


class EngineerFactory(Protocol):
    """Makes the prompt engineer, building the concept index where there is none."""

    def __call__(self, on_progress: Callable[[int, int], None] | None) -> "PromptEngineer":
        """Return the engineer; `on_progress` is told how far an index build is."""


@prompts_app.command("generate")
def generate(
    ctx: typer.Context,
    labels: Annotated[
        list[str] | None, typer.Argument(help="Classes in words, or set:code.")
    ] = None,
    label_set: Annotated[str | None, typer.Option(help="A label set; alone: all of it.")] = None,
    llm: Annotated[str, typer.Option(help="auto, off or required.")] = "auto",
    max_subtypes: Annotated[int, typer.Option(min=0, max=50)] = 6,
    max_attributes: Annotated[int, typer.Option(min=0, max=50)] = 6,
    style: Annotated[Style, typer.Option(help="What a prompt holds.")] = Style.FULL,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the set here.")
    ] = None,
) -> None:
    """Engineer a prompt set; without -o it is written to stdout."""
    if llm not in ("auto", "off", "required"):
        msg = f"--llm {llm!r}: expected auto, off or required"
        raise CkepeError(msg)
    engineer = _engineer(ctx)
    with _progress("engineering prompts") as tick:
        prompt_set = engineer.engineer(
            labels or (),
            label_set=label_set,
            llm=cast("LLMMode", llm),
            max_subtypes=max_subtypes,
            max_attributes=max_attributes,
            style=style,
            on_progress=tick,
        )
    for notice in prompt_set.notices:
        _err.print(notice, style="yellow", highlight=False)
    if output is None:
        typer.echo(prompt_set.to_json(), nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(prompt_set.to_json(), encoding="utf-8")
    _err.print(f"{output}: {len(prompt_set.prompts)} prompts, id {prompt_set.id[:12]}")


@prompts_app.command("verify")
def verify(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="TSV with columns label, phrase[, label_set].")],
) -> None:
    """Judge phrases; writes the rows with verdict, relation, evidence and reason to stdout."""
    rows, columns = _read_phrases(file)
    engineer = _engineer(ctx)
    writer = csv.DictWriter(
        sys.stdout,
        [*columns, *_VERDICT_COLUMNS],
        delimiter="\t",
        lineterminator="\n",
        quoting=csv.QUOTE_MINIMAL,
    )
    writer.writeheader()
    for row in _tracked(rows, "verifying phrases"):
        verdict = engineer.verify(row["label"], [row["phrase"]], row.get("label_set") or None)[0]
        evidence = "; ".join(
            f"{e.concept_id} ({e.source} {e.version}): {e.matched}" for e in verdict.evidence
        )
        judged = (verdict.verdict, str(verdict.relation), evidence, verdict.reason)
        writer.writerow({**row, **dict(zip(_VERDICT_COLUMNS, judged, strict=True))})


@prompts_app.command("show")
def show(path: Annotated[Path, typer.Argument(metavar="SET", help="A prompt set.")]) -> None:
    """Show a prompt set: each prompt, its evidence and what was refused."""
    prompt_set = read_prompt_set(path)
    llm = prompt_set.generator.llm or "none: from knowledge alone"
    _out.print(f"[bold]{prompt_set.id}[/]  language model: {llm}", highlight=False)
    for prompt in prompt_set.prompts:
        _show_prompt(prompt)


@prompts_app.command("diff")
def diff(
    first: Annotated[Path, typer.Argument(metavar="A")],
    second: Annotated[Path, typer.Argument(metavar="B")],
) -> None:
    """Show which labels and phrases two prompt sets do not share; exits 1 if they differ."""
    changes = diff_prompt_sets(read_prompt_set(first), read_prompt_set(second))
    for change in changes:
        sign = {"added": "[green]+[/]", "removed": "[red]-[/]"}.get(change.kind, "[yellow]~[/]")
        _out.print(f"{sign} {change.label}: {change.what}", highlight=False)
        if change.reason:
            _out.print(f"    {change.reason}", style="dim", highlight=False)
    if changes:
        raise typer.Exit(1)


@knowledge_app.command("search")
def search(
    ctx: typer.Context,
    query: Annotated[str | None, typer.Argument(help="A name, acronym or description.")] = None,
    top_k: Annotated[int, typer.Option("-k", "--top-k", min=1, max=100)] = 10,
    label_set: Annotated[str | None, typer.Option(help="Decides ambiguous acronyms.")] = None,
    batch: Annotated[
        Path | None, typer.Option(help="One query a line; one JSON list a line.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list.")] = False,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="List neighbours of an unknown query too.")
    ] = False,
) -> None:
    """Find concepts for a query in any wording; an empty list where no source knows it."""
    if (query is None) == (batch is None):
        msg = "give either one QUERY or --batch FILE"
        raise CkepeError(msg)
    retriever = _engineer(ctx).retriever
    if batch is not None:
        for line in _tracked(_read_text(batch).splitlines(), "searching"):
            asked = line.strip()
            hits = retriever.search(asked, top_k, label_set, nearest=nearest) if asked else []
            typer.echo(json.dumps([_hit_body(h) for h in hits], ensure_ascii=False))
        return
    hits = retriever.search(query or "", top_k, label_set, nearest=nearest or not as_json)
    if as_json:
        typer.echo(json.dumps([_hit_body(h) for h in hits], ensure_ascii=False, indent=2))
        return
    if retriever.ground(query or "", label_set) is None:
        _err.print("No source knows this; the nearest concepts are:", style="yellow")
    table = Table("score", "concept", "name", "matched", box=None, pad_edge=False)
    for hit in hits:
        table.add_row(f"{hit.score:.3f}", hit.concept_id, hit.canonical_name, hit.matched)
    _out.print(table)


@knowledge_app.command("show")
def show_concept(
    ctx: typer.Context,
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A concept's id, or an identifier that it carries: SCP:CLBBB."
        ),
    ],
) -> None:
    """Show all that the sources say of a concept, as JSON."""
    knowledge = _engineer(ctx).knowledge_base
    concept_id = _the_concept(knowledge, identifier)
    members = [dataclasses.asdict(knowledge.get(c)) for c in knowledge.cluster(concept_id)]
    graph = {
        "parents": sorted(knowledge.parents(concept_id)),
        "children": sorted(knowledge.children(concept_id)),
        "contradictions": sorted(knowledge.contradictions(concept_id)),
    }
    typer.echo(json.dumps({"concepts": members, **graph}, ensure_ascii=False, indent=2))


def _the_concept(knowledge: KnowledgeBase, identifier: str) -> str:
    found = knowledge.by_identifier(identifier)
    if len(found) > 1:
        msg = f"{identifier!r} is carried by several concepts: {', '.join(found)}"
        raise CkepeError(msg)
    return found[0] if found else knowledge.get(identifier).concept_id


@knowledge_app.command("sources")
def sources(ctx: typer.Context) -> None:
    """List the knowledge sources with version, licence and size."""
    knowledge = _engineer(ctx).knowledge_base
    table = Table("key", "name", "version", "concepts", "licence", box=None, pad_edge=False)
    for source in knowledge.sources.values():
        count = sum(c.source == source.key for c in knowledge.concepts.values())
        table.add_row(source.key, source.name, source.version, str(count), source.licence)
    _out.print(table)


@knowledge_app.command("build")
def build(ctx: typer.Context) -> None:
    """Build the concept index if it is absent or out of date."""
    engineer = _engineer(ctx)
    _err.print(f"{len(engineer.knowledge_base.concepts)} concepts are indexed.")


def _engineer(ctx: typer.Context) -> "PromptEngineer":
    factory = cast(EngineerFactory, ctx.obj)
    with _progress("indexing concepts") as tick:
        return factory(tick)


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that draws a bar on stderr once it is called."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=_err, transient=True)
    tasks: list[Any] = []

    def tick(done: int, total: int) -> None:
        if not tasks:
            bar.start()
            tasks.append(bar.add_task(title, total=total))
        bar.update(tasks[0], completed=done)

    try:
        yield tick
    finally:
        bar.stop()


def _tracked(items: Sequence[_T], title: str) -> Iterator[_T]:
    """Yield the items, with a bar on stderr that says how many are done."""
    with _progress(title) as tick:
        for done, item in enumerate(items, start=1):
            yield item
            tick(done, len(items))


def _show_prompt(prompt: LabelPrompt) -> None:
    _out.print(f"\n[bold]{prompt.label}[/]: {prompt.meaning}", highlight=False)
    if not prompt.is_grounded:
        _out.print("  known to no source", style="yellow")
    _out.print(f"  {prompt.text}", style="cyan", highlight=False)
    for phrase in (*prompt.subtypes, *prompt.attributes):
        where = ", ".join(f"{e.concept_id} ({e.source} {e.version})" for e in phrase.evidence)
        _out.print(f"  [green]+[/] {phrase.text}  [dim]{phrase.relation}: {where}[/]")
    for refused in prompt.rejected:
        _out.print(f"  [red]-[/] {refused.text}  [dim]{refused.relation}: {refused.reason}[/]")
    for note in prompt.notes:
        _out.print(f"  note: {note}", style="yellow", highlight=False)


def _hit_body(hit: "Hit") -> dict[str, Any]:
    return {**dataclasses.asdict(hit), "xrefs": list(hit.xrefs)}


def _read_phrases(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    reader = csv.DictReader(io.StringIO(_read_text(path)), delimiter="\t", strict=True)
    columns = list(reader.fieldnames or ())
    for column in ("label", "phrase"):
        if column not in columns:
            msg = f"{path}: column {column!r} is missing, found {', '.join(columns) or 'none'}"
            raise CkepeError(msg)
    try:
        rows = list(reader)
    except csv.Error as error:
        msg = f"{path}, line {reader.line_num}: {error}"
        raise CkepeError(msg) from error
    for number, row in enumerate(rows, start=2):
        if None in row or any(value is None for value in row.values()):
            msg = f"{path}, line {number}: expected {len(columns)} columns"
            raise CkepeError(msg)
        if not row["label"].strip():
            msg = f"{path}, line {number}, column label: is empty"
            raise CkepeError(msg)
    return rows, columns


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise CkepeError(msg) from error
