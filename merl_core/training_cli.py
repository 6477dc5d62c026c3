"""Commands of `merl` that train."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from merl_core.console import reported

app = typer.Typer()


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
    with reported():
        import torch

        from merl_core import train as training

        torch.set_num_threads(threads)
        recipe = training.load_train_config(config)
        corpus = training.load_corpus(recipe, data, output / "cache")
        training.train(recipe, corpus, output / recipe.name)
    typer.echo(str(output / recipe.name / recipe.name))
