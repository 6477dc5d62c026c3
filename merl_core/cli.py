"""Sub-commands of `merl` that work on models and data: train, evaluate, embed, simulate, ...

The context object, where there is one, is a function that makes the prompt engineer; it is set by
whoever mounts this app. Without one, prompts are the classes' own words.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knowledge_sources.errors import KnowledgeError
from knowledge_sources.label_sets import find_label, label_set
from merl_core.errors import MerlError

if TYPE_CHECKING:
    from merl_core.datasets.manifest import Manifest

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
checkpoint_app = typer.Typer(no_args_is_help=True, help="Read and import checkpoints.")
app.add_typer(checkpoint_app, name="checkpoint")

_err: Final = Console(stderr=True)
Checkpoint = Annotated[str, typer.Option("--checkpoint", help="A folder or a bundled name.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Root = Annotated[Path, typer.Option(help="Folder that the manifest's paths start from.")]


class _PromptEngineer(Protocol):
    def engineer(
        self, labels: Sequence[str], *, label_set: str | None, llm: Any = "auto"
    ) -> Any: ...


EngineerFactory = Callable[[Callable[[int, int], None] | None], _PromptEngineer]


@app.command()
def evaluate(
    ctx: typer.Context,
    manifest: Annotated[Path, typer.Argument(help="CSV: `path` and one 0/1 column a class.")],
    root: Root = Path(),
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Report (JSON).")] = None,
    label_set_name: Annotated[
        str | None, typer.Option("--label-set", help="Column heads are codes of this set.")
    ] = None,
    prompts: Annotated[Path | None, typer.Option(help="Prompt set (JSON).")] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Class names as prompts.")] = False,
    checkpoint: Checkpoint = "merl-base",
    device: Device = "auto",
    n_bootstraps: Annotated[int, typer.Option(min=10)] = 1000,
    seed: int = 0,
) -> None:
    """Measure zero-shot AUROC on any data that a manifest describes."""
    with _reported():
        from merl_core.datasets.manifest import read_manifest
        from merl_core.engine import Engine
        from merl_core.evaluate import evaluate_manifest

        table = read_manifest(manifest)
        if table.ignored:
            _say(f"columns without 0/1 values are ignored: {', '.join(table.ignored)}")
        if prompts is not None:
            texts = _match(_read_prompts(prompts), table, label_set_name)
        else:
            texts = _engineer(ctx.obj, table, label_set_name, bare=bare)
        engine = Engine(checkpoint, device)
        with _progress("recordings") as advance:
            report = evaluate_manifest(
                engine,
                table,
                root,
                texts,
                n_bootstraps=n_bootstraps,
                seed=seed,
                on_progress=advance,
            )
    _write(report, output)
    for label in report["without_value"]:
        _say(f"class {label!r} has no AUROC: it needs a positive and a negative recording")
    if report["failed"]:
        _say(f"{len(report['failed'])} recordings failed; the first: {report['failed'][0]}")


@app.command()
def embed(
    manifest: Annotated[Path, typer.Argument(help="CSV with a column `path`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the Parquet file.")],
    root: Root = Path(),
    checkpoint: Checkpoint = "merl-base",
    device: Device = "auto",
) -> None:
    """Write ECG features to Parquet: columns `path` and `features`."""
    with _reported():
        from merl_core.datasets.manifest import read_manifest
        from merl_core.embed import write_features
        from merl_core.engine import Engine

        engine = Engine(checkpoint, device)
        with _progress("recordings") as advance:
            written, failed = write_features(engine, read_manifest(manifest), root, output, advance)
    typer.echo(str(written))
    for item in failed:
        _say(f"{item['path']}: {item['reason']}")
    if failed:
        raise typer.Exit(1)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Recipe (YAML); merl_core/configs has ours.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder that holds ptb-xl and ptb-xl-zscored.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Run folder.")] = Path("runs"),
    threads: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Train a checkpoint by a recipe."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with _reported():
        import torch

        from merl_core import train as training

        torch.set_num_threads(threads)
        recipe = training.load_train_config(config)
        corpus = training.load_corpus(recipe, data, output / "cache")
        training.train(recipe, corpus, output / recipe.name)
    typer.echo(str(output / recipe.name / recipe.name))


@app.command()
def simulate(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for WFDB records.")],
    n_records: Annotated[int, typer.Option("-n", min=1, max=100_000)] = 10,
    finding: Annotated[
        list[str] | None, typer.Option(help="Local concept id; repeat it. Drawn if none is given.")
    ] = None,
    fs: Annotated[int, typer.Option(min=50, max=1000, help="Samples per second.")] = 500,
    duration_s: Annotated[float, typer.Option(min=3.0, max=60.0)] = 10.0,
    seed: int = 0,
) -> None:
    """Write artificial 12-lead ECGs (WFDB) and a manifest of what they show."""
    with _reported():
        from merl_core.simulated_files import write_simulated

        findings = [tuple(finding)] * n_records if finding else None
        manifest = write_simulated(
            output, findings, n_records=n_records, fs=fs, duration_s=duration_s, seed=seed
        )
    typer.echo(str(manifest))


@app.command()
def bench(
    batch_size: Annotated[int, typer.Option(min=1, max=1024)] = 16,
    checkpoint: Checkpoint = "merl-base",
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for each backend.")] = 2.0,
    threads: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Measure ECG/s of every inference backend and of the plain float32 forward, in one run."""
    with _reported():
        from merl_core.bench import measure_backends

        result = measure_backends(checkpoint, batch_size, seconds, threads)
    _write(result, None)


@checkpoint_app.command("show")
def checkpoint_show(
    checkpoint: Annotated[str, typer.Argument(help="A folder or a bundled name.")],
) -> None:
    """Print what a checkpoint is (JSON)."""
    with _reported():
        from merl_core.checkpoint import load_checkpoint
        from merl_core.model import count_parameters

        loaded = load_checkpoint(checkpoint)
        content = loaded.config.model_dump(mode="json")
        content["sha256"] = loaded.sha256
        content["config_sha256"] = loaded.config_sha256
        loaded.model.requires_grad_(True)
        content["n_parameters"] = count_parameters(loaded.model)
        content["n_reference"] = len(loaded.reference_bank)
    _write(content, None)


@checkpoint_app.command("import")
def checkpoint_import(
    file: Annotated[Path, typer.Argument(help="Released weights of the paper (.pth).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Checkpoint folder to write.")],
    name: Annotated[str | None, typer.Option(help="Name; by default the folder's.")] = None,
) -> None:
    """Turn the paper's released weights into a checkpoint folder."""
    with _reported():
        from merl_core.import_weights import import_weights

        summary = import_weights(file, output, name or output.name)
    _write(summary, None)


def _engineer(
    factory: EngineerFactory | None, table: "Manifest", set_name: str | None, *, bare: bool
) -> dict[str, str]:
    """Return prompts by column head: the pipeline's, or the classes' own words."""
    labels = {head: _label_key(head, set_name) for head in table.labels}
    if factory is None or bare:
        return {head: _meaning(key) for head, key in labels.items()}
    made = factory(None).engineer(list(labels.values()), label_set=set_name, llm="off")
    texts = {prompt.label: prompt.text for prompt in made.prompts}
    return {head: texts.get(key, _meaning(key)) for head, key in labels.items()}


def _label_key(head: str, set_name: str | None) -> str:
    if set_name is None:
        return " ".join(head.split())
    code = head.partition(":")[2] or head
    return label_set(set_name).get(code).key


def _meaning(key: str) -> str:
    label = find_label(key)
    return key if label is None else label.meaning


def _read_prompts(path: Path) -> dict[str, str]:
    """Return texts by label of a prompt set, or of a plain JSON object of label and text."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"prompt set {str(path)!r} cannot be read: {error.strerror}"
        raise MerlError(msg) from error
    except ValueError as error:
        msg = f"prompt set {str(path)!r} is not JSON: {error}"
        raise MerlError(msg) from error
    items = content.get("prompts", content) if isinstance(content, dict) else None
    try:
        if isinstance(items, list):
            return {item["label"]: item["text"] for item in items}
        return {str(label): str(text) for label, text in dict(items or {}).items()}
    except (TypeError, KeyError, ValueError) as error:
        msg = f"prompt set {str(path)!r} does not hold a label and a text for each prompt"
        raise MerlError(msg) from error


def _match(texts: dict[str, str], table: "Manifest", set_name: str | None) -> dict[str, str]:
    """Return prompts by column head; heads and labels meet in any case, with or without a set."""
    known = {label.casefold(): text for label, text in texts.items()}
    for label, text in texts.items():
        known.setdefault(label.partition(":")[2].casefold() or label.casefold(), text)
    matched = {}
    for head in table.labels:
        for key in (head, f"{set_name}:{head}"):
            if key.casefold() in known:
                matched[head] = known[key.casefold()]
                break
        else:
            msg = f"the prompt set holds no prompt for class {head!r}"
            raise MerlError(msg)
    return matched


@contextmanager
def _reported() -> Iterator[None]:
    """Turn bad input into one line and exit status 2."""
    try:
        yield
    except (MerlError, KnowledgeError) as error:
        _say(f"error: {error}")
        raise typer.Exit(2) from error
    except OSError as error:
        _say(f"error: {error.strerror}: {str(error.filename)!r}")
        raise typer.Exit(2) from error


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _write(content: dict[str, Any], output: Path | None) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    if output is None:
        typer.echo(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text + "\n", encoding="utf-8")


def _say(message: str) -> None:
    _err.print(message, highlight=False, soft_wrap=True, markup=False)
