"""Commands of `merl` that train."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from merl_core.console import Device, reported

if TYPE_CHECKING:
    from merl_core.train_config import TrainConfig
    from merl_core.training.config import PairConfig

app = typer.Typer()


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Recipe (YAML); merl_core/configs has ours.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="By pairs: a folder of `merl data prepare`. By statements: the folder that "
            "holds ptb-xl and ptb-xl-zscored."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Run folder.")] = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read ahead.")] = 0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Draw metrics, too.")] = False,
    select_on: Annotated[
        list[Path] | None,
        typer.Option(
            help="Prepared folder with classes, for select_by: labelled_auroc; repeat it."
        ),
    ] = None,
) -> None:
    """Train a checkpoint by a recipe; by pairs in several processes under `torchrun`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with reported():
        import torch

        from merl_core.training.config import PairConfig, load_recipe

        torch.set_num_threads(threads)
        recipe = load_recipe(config)
        if isinstance(recipe, PairConfig):
            checkpoint = _train_pairs(
                recipe, data, output, resume, device, workers, tensorboard, select_on or []
            )
        else:
            given = {"--workers": workers, "--tensorboard": tensorboard, "--select-on": select_on}
            given["--device"] = device not in ("auto", "cpu")
            _refuse(recipe.name, [option for option, is_given in given.items() if is_given])
            checkpoint = _train_statements(recipe, data, output, resume=resume)
    if os.environ.get("RANK", "0") == "0":  # one of all processes says it
        typer.echo(str(checkpoint))


def _train_pairs(
    recipe: "PairConfig",
    data: Path | None,
    output: Path,
    resume: bool,
    device: str,
    workers: int,
    tensorboard: bool,
    select_on: list[Path],
) -> Path:
    from merl_core.errors import MerlError
    from merl_core.training.launch import process_group, train_pairs

    if data is None:
        msg = f"recipe {recipe.name!r} trains on prepared pairs: name their folder with --data"
        raise MerlError(msg)
    with process_group(os.environ, device) as (group, own_device):
        return train_pairs(
            recipe,
            data,
            output / recipe.name,
            resume=resume,
            group=group,
            device=own_device,
            n_workers=workers,
            tensorboard=tensorboard,
            select_on=select_on,
        )


def _refuse(recipe: str, options: list[str]) -> None:
    from merl_core.errors import MerlError

    if options:
        msg = f"recipe {recipe!r} trains by statements, on the processor: {options[0]} is for pairs"
        raise MerlError(msg)


def _train_statements(
    recipe: "TrainConfig", data: Path | None, output: Path, *, resume: bool
) -> Path:
    from merl_core.corpus import load_corpus
    from merl_core.errors import MerlError
    from merl_core.train import train as train_statements
    from merl_core.training.run_folder import RunFolder

    if os.environ.get("WORLD_SIZE", "1") != "1":
        msg = f"recipe {recipe.name!r} trains by statements, which is done without torchrun"
        raise MerlError(msg)
    run = RunFolder(output / recipe.name, resume=resume)
    corpus = load_corpus(recipe, data, output / "cache")
    train_statements(recipe, corpus, run)
    return run.path / recipe.name
