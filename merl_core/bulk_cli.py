"""Commands of `merl bulk`: classify."""

from pathlib import Path
from typing import Annotated

import typer

from merl_core.class_prompts import engineer_labels, read_texts
from merl_core.console import Backend, Checkpoint, Device, progress, reported, say, write_json
from merl_core.errors import MerlError

app = typer.Typer(no_args_is_help=True, help="Work through many recordings.")


@app.callback()
def _bulk() -> None:
    """Work through many recordings."""


@app.command()
def classify(
    ctx: typer.Context,
    manifest: Annotated[Path, typer.Argument(help="CSV with a column `path`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the shards.")],
    root: Annotated[Path, typer.Option(help="Folder that the paths start from.")] = Path(),
    labels: Annotated[str | None, typer.Option(help="Classes in words, separated by ';'.")] = None,
    label_set: Annotated[str | None, typer.Option(help="Name of a label set.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="Prompt set (JSON).")] = None,
    output_format: Annotated[str, typer.Option("--format", help="parquet or ndjson.")] = "parquet",
    shard_size: Annotated[int, typer.Option(min=1, help="Files of a shard.")] = 512,
    workers: Annotated[int, typer.Option(min=1, help="Processes, or actors of Ray.")] = 1,
    ray: Annotated[bool, typer.Option("--ray", help="Use Ray (extra `bulk`).")] = False,
    ray_address: Annotated[str | None, typer.Option(help="Of a Ray cluster; none: here.")] = None,
    checkpoint: Checkpoint = "merl-base",
    device: Device = "auto",
    backend: Backend = "torch-float32",
) -> None:
    """Score many files in shards; run it again and it goes on where it was stopped."""
    with reported():
        from merl_core.bulk import BulkRun, classify_in_bulk
        from merl_core.datasets.manifest import read_manifest

        paths = read_manifest(manifest).paths
        if output_format not in ("parquet", "ndjson"):
            msg = f"format {output_format!r}, expected parquet or ndjson"
            raise MerlError(msg)
        given = [item.strip() for item in (labels or "").split(";") if item.strip()]
        if sum(map(bool, (given, label_set, prompts))) != 1:
            msg = "name the classes by one of --labels, --label-set and --prompts"
            raise MerlError(msg)
        texts = read_texts(prompts) if prompts else engineer_labels(ctx.obj, given, label_set)
        run = BulkRun(
            root=str(root.resolve()),
            checkpoint=checkpoint,
            device=device,
            backend=backend,
            prompts=texts,
            shard_size=shard_size,
            output_format="ndjson" if output_format == "ndjson" else "parquet",
        )
        with progress("shards") as advance:
            summary = classify_in_bulk(
                run,
                paths,
                output.resolve(),
                n_workers=workers,
                on_ray=ray,
                ray_address=ray_address,
                on_progress=advance,
            )
    write_json(summary, None)
    if summary["n_failed"]:
        say(f"{summary['n_failed']} files have an error in place of scores")
