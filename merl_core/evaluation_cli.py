"""Commands of `merl` that measure and encode: evaluate, probe, calibrate, report, embed, bench.

The context object, where there is one, is a function that makes the prompt engineer; it is set by
whoever mounts this app. Without one, prompts are the classes' own words.
"""

from pathlib import Path
from typing import Annotated

import typer

from merl_core.class_prompts import engineer_texts, match_texts, read_texts
from merl_core.console import (
    Backend,
    Checkpoint,
    Device,
    Root,
    progress,
    reported,
    say,
    say_columns,
    write_json,
)

app = typer.Typer()
Split = Annotated[str | None, typer.Option(help="Only recordings whose column `split` says so.")]


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
    split: Split = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Random weights: what chance gives.")
    ] = False,
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
        from merl_core.evaluate import evaluate_manifest, untrained_checkpoint

        table = read_manifest(manifest)
        say_columns(table, label_set_name)
        table = table if split is None else table.of_split(split)
        if prompts is not None:
            texts = match_texts(read_texts(prompts), table, label_set_name)
        else:
            texts = engineer_texts(ctx.obj, table, label_set_name, bare=bare)
        engine = Engine(
            untrained_checkpoint(checkpoint, seed) if untrained else checkpoint,
            device,
            backend=backend,
        )
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
    report |= {
        "kind": "zero_shot",
        "label_set": label_set_name,
        "split": split,
        "prompts": "name" if bare else (str(prompts.name) if prompts else "knowledge"),
    }
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
def probe(
    manifest: Annotated[
        Path, typer.Argument(help="CSV: `path`, `split` (train, val, test), and 0/1 columns.")
    ],
    features: Annotated[Path, typer.Option(help="Folder where features are kept between runs.")],
    root: Root = Path(),
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Report (JSON).")] = None,
    label_set_name: Annotated[
        str | None, typer.Option("--label-set", help="Column heads are codes of this set.")
    ] = None,
    transfer_to: Annotated[
        Path | None,
        typer.Option(help="CSV of another set: test on its split `test`, on classes of both."),
    ] = None,
    transfer_root: Annotated[Path, typer.Option(help="Where its paths start.")] = Path(),
    transfer_set: Annotated[
        str | None, typer.Option("--transfer-label-set", help="Its label set.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="ours, or the paper's own.")] = "ours",
    checkpoint: Checkpoint = "merl-base",
    device: Device = "auto",
    n_bootstraps: Annotated[int, typer.Option(min=10)] = 1000,
) -> None:
    """Measure linear probes on 1, 10 and 100 % of the training records, three seeds each."""
    with reported():
        from merl_core.datasets.manifest import read_manifest
        from merl_core.engine import Engine
        from merl_core.errors import MerlError
        from merl_core.linear_probe import probe as run_probe
        from merl_core.probe_data import load_splits, overlap

        if recipe not in ("ours", "paper"):
            msg = f"unknown recipe {recipe!r}, expected ours or paper"
            raise MerlError(msg)
        engine = Engine(checkpoint, device)
        table = read_manifest(manifest)
        say_columns(table, label_set_name)
        with progress("recordings") as advance:
            labels, parts = load_splits(engine, table, root, features, advance)
            if transfer_to is not None:
                other = read_manifest(transfer_to).of_split("test")
                folder = features / "transfer"
                there, others = load_splits(engine, other, transfer_root, folder, advance)
                labels, parts = overlap(
                    (labels, label_set_name, parts), (there, transfer_set, others["test"])
                )
        with progress("probes") as advance:
            report = run_probe(
                labels,
                parts["train"],
                parts["val"],
                parts["test"],
                recipe="paper" if recipe == "paper" else "ours",
                n_bootstraps=n_bootstraps,
                on_progress=advance,
            )
    report |= {
        "kind": "transfer" if transfer_to else "probe",
        "label_set": label_set_name,
        "model": {"id": engine.model_id, "sha256": engine.sha256},
    }
    if transfer_to is not None:
        report["tested_on"] = transfer_set
    write_json(report, output)


@app.command()
def supervised(
    data: Annotated[Path, typer.Argument(help="Folder of `merl data prepare`, with classes.")],
    config: Annotated[Path, typer.Option(help="Recipe (YAML) whose ECG encoder is trained.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Report (JSON).")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training records.")] = 12,
    batch_size: Annotated[int, typer.Option(min=2)] = 32,
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    n_bootstraps: Annotated[int, typer.Option(min=10)] = 1000,
) -> None:
    """Measure encoders trained from scratch on 1, 10 and 100 % of the labels, three seeds each."""
    with reported():
        import torch

        from merl_core.datasets.prepared import PreparedSet
        from merl_core.engine import choose_device
        from merl_core.errors import MerlError
        from merl_core.supervised import SignalData, SupervisedRecipe
        from merl_core.supervised import supervised as train_supervised
        from merl_core.training.config import load_recipe

        if precision not in ("float32", "bfloat16"):
            msg = f"precision {precision!r}, expected float32 or bfloat16"
            raise MerlError(msg)
        torch.set_num_threads(threads)
        model = load_recipe(config).model
        prepared = PreparedSet(data, model.signal)
        parts = [SignalData.of_prepared(prepared, split) for split in ("train", "val", "test")]
        with progress("trainings") as advance:
            report = train_supervised(
                prepared.labels,
                model,
                *parts,
                recipe=SupervisedRecipe(
                    n_epochs=epochs,
                    batch_size=batch_size,
                    precision="bfloat16" if precision == "bfloat16" else "float32",
                ),
                device=choose_device(device),
                n_bootstraps=n_bootstraps,
                on_progress=advance,
            )
    report |= {"kind": "supervised", "label_set": prepared.label_set or None}
    write_json(report | {"data_sha256": prepared.sha256}, output)


@app.command()
def report(
    results: Annotated[
        list[Path], typer.Argument(help="JSON of `merl evaluate`, `merl probe` and benchmarks.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the figures.")],
) -> None:
    """Draw the paper's figures from results: SVG and PNG, with the data beside them (CSV)."""
    with reported():
        from merl_core.report import draw_figures, read_results

        written = draw_figures(read_results(results), output)
    for path in written:
        typer.echo(str(path))


@app.command()
def calibrate(
    ctx: typer.Context,
    manifest: Annotated[Path, typer.Argument(help="CSV: `path` and one 0/1 column a class.")],
    name: Annotated[str, typer.Option(help="Of the data set, as answers will cite it.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Checkpoint folder to write.")],
    root: Root = Path(),
    label_set_name: Annotated[
        str | None, typer.Option("--label-set", help="Column heads are codes of this set.")
    ] = None,
    prompts: Annotated[Path | None, typer.Option(help="Prompt set (JSON).")] = None,
    split: Split = None,
    method: Annotated[str, typer.Option(help="platt or isotonic.")] = "platt",
    checkpoint: Checkpoint = "merl-base",
    device: Device = "auto",
) -> None:
    """Fit each class's probability on a named data set, never on its split `test`."""
    with reported():
        from merl_core.datasets.manifest import read_manifest
        from merl_core.engine import Engine
        from merl_core.evaluate import calibrate_manifest

        table = read_manifest(manifest)
        say_columns(table, label_set_name)
        table = table if split is None else table.of_split(split)
        if prompts is not None:
            texts = match_texts(read_texts(prompts), table, label_set_name)
        else:
            texts = engineer_texts(ctx.obj, table, label_set_name, bare=False)
        engine = Engine(checkpoint, device)
        with progress("recordings") as advance:
            report = calibrate_manifest(
                engine,
                table,
                root,
                texts,
                output,
                fitted_on=name,
                method=method,
                label_set=label_set_name,
                on_progress=advance,
            )
    write_json(report, None)


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
