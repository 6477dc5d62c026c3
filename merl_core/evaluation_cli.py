"""Commands of `merl` that measure and encode: evaluate, embed, bench.

The context object, where there is one, is a function that makes the prompt engineer; it is set by
whoever mounts this app. Without one, prompts are the classes' own words.
"""

from pathlib import Path
from typing import Annotated

import typer

from merl_core.class_prompts import engineer_texts, match_texts, read_texts
from merl_core.console import Backend, Checkpoint, Device, Root, progress, reported, say, write_json

app = typer.Typer()


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
    backend: Backend = "torch-float32",
    n_bootstraps: Annotated[int, typer.Option(min=10)] = 1000,
    seed: int = 0,
) -> None:
    """Measure zero-shot AUROC on any data that a manifest describes."""
    with reported():
        from merl_core.datasets.manifest import read_manifest
        from merl_core.engine import Engine
        from merl_core.evaluate import evaluate_manifest

        table = read_manifest(manifest)
        if table.ignored:
            say(f"columns without 0/1 values are ignored: {', '.join(table.ignored)}")
        if prompts is not None:
            texts = match_texts(read_texts(prompts), table, label_set_name)
        else:
            texts = engineer_texts(ctx.obj, table, label_set_name, bare=bare)
        engine = Engine(checkpoint, device, backend=backend)
        with progress("recordings") as advance:
            report = evaluate_manifest(
                engine,
                table,
                root,
                texts,
                n_bootstraps=n_bootstraps,
                seed=seed,
                on_progress=advance,
            )
    write_json(report, output)
    for label in report["without_value"]:
        say(f"class {label!r} has no AUROC: it needs a positive and a negative recording")
    if report["failed"]:
        say(f"{len(report['failed'])} recordings failed; the first: {report['failed'][0]}")


@app.command()
def embed(
    manifest: Annotated[Path, typer.Argument(help="CSV with a column `path`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the Parquet file.")],
    root: Root = Path(),
    checkpoint: Checkpoint = "merl-base",
    device: Device = "auto",
    backend: Backend = "torch-float32",
) -> None:
    """Write ECG features to Parquet: columns `path` and `features`."""
    with reported():
        from merl_core.datasets.manifest import read_manifest
        from merl_core.embed import write_features
        from merl_core.engine import Engine

        engine = Engine(checkpoint, device, backend=backend)
        with progress("recordings") as advance:
            written, failed = write_features(engine, read_manifest(manifest), root, output, advance)
    typer.echo(str(written))
    for item in failed:
        say(f"{item['path']}: {item['reason']}")
    if failed:
        raise typer.Exit(1)


@app.command()
def bench(
    batch_size: Annotated[int, typer.Option(min=1, max=1024)] = 16,
    checkpoint: Checkpoint = "merl-base",
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for each backend.")] = 2.0,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    with_compile: Annotated[
        bool, typer.Option("--compile", help="Measure torch.compile too: compiles for minutes.")
    ] = False,
) -> None:
    """Measure ECG/s of every inference backend and of the plain float32 forward, in one run."""
    with reported():
        from merl_core.bench import measure_backends

        result = measure_backends(
            checkpoint, batch_size, seconds, threads, with_compile=with_compile
        )
    write_json(result, None)
