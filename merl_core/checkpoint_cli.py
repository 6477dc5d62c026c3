"""Commands of `merl checkpoint`: show, import."""

from pathlib import Path
from typing import Annotated

import typer

from merl_core.console import reported, write_json

app = typer.Typer(no_args_is_help=True, help="Read and import checkpoints.")


@app.command("show")
def checkpoint_show(
    checkpoint: Annotated[str, typer.Argument(help="A folder or a bundled name.")],
) -> None:
    """Print what a checkpoint is (JSON)."""
    with reported():
        from merl_core.checkpoint import load_checkpoint
        from merl_core.model import count_parameters

        loaded = load_checkpoint(checkpoint)
        content = loaded.config.model_dump(mode="json")
        content["sha256"] = loaded.sha256
        content["config_sha256"] = loaded.config_sha256
        loaded.model.requires_grad_(True)
        content["n_parameters"] = count_parameters(loaded.model)
        content["n_reference"] = len(loaded.reference_bank)
    write_json(content, None)


@app.command("import")
def checkpoint_import(
    file: Annotated[Path, typer.Argument(help="Released weights of the paper (.pth).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Checkpoint folder to write.")],
    name: Annotated[str | None, typer.Option(help="Name; by default the folder's.")] = None,
) -> None:
    """Turn the paper's released weights into a checkpoint folder."""
    with reported():
        from merl_core.import_weights import import_weights

        summary = import_weights(file, output, name or output.name)
    write_json(summary, None)
