"""From a recipe and a prepared folder to a run: devices, processes, TensorBoard."""

import gc
import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist

from merl_core.datasets.prepared import PreparedSet
from merl_core.errors import MerlError
from merl_core.training.config import PairConfig
from merl_core.training.distributed import Group
from merl_core.training.labelled import load_labelled
from merl_core.training.loop import PairTraining
from merl_core.training.pairs import load_reports
from merl_core.training.run_folder import RunFolder

logger = logging.getLogger(__name__)

_TIMEOUT: Final = timedelta(minutes=30)


@contextmanager
def process_group(environment: Mapping[str, str], device: str) -> Iterator[tuple[Group, str]]:
    """Join the processes that `torchrun` started, if it did; yield the group and the device.

    The threads of the group end with the last reference to it. One that is there when the
    interpreter ends can abort the process, so keep no training beyond this context.

    Args:
        environment: `RANK`, `WORLD_SIZE` and `LOCAL_RANK` as `torchrun` sets them.
        device: `auto`, `cpu` or `cuda`; each process takes the GPU of its local rank.

    Raises:
        MerlError: The device is unknown, or CUDA is asked for and not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        msg = f"device {device!r}, expected auto, cpu or cuda"
        raise MerlError(msg)
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        msg = "device 'cuda' is not there"
        raise MerlError(msg)
    kind = "cuda" if device == "cuda" or (device == "auto" and has_cuda) else "cpu"
    size = int(environment.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group(), kind
        return
    local = int(environment.get("LOCAL_RANK", "0"))
    if kind == "cuda":
        torch.cuda.set_device(local)
    # The parallel model imports this, which keeps whatever group it finds then for ever.
    importlib.import_module("torch._dynamo")
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=_TIMEOUT)
    try:
        rank = dist.get_rank()
        yield Group(rank, size), f"cuda:{local}" if kind == "cuda" else "cpu"
    finally:
        gc.collect()  # the parallel model, a reference cycle, holds the group
        dist.destroy_process_group()


def train_pairs(
    config: PairConfig,
    data_folder: Path,
    run_folder: Path,
    *,
    resume: bool = False,
    group: Group | None = None,
    device: str = "cpu",
    n_workers: int = 0,
    cache: Path | None = None,
    tensorboard: bool = False,
    select_on: Sequence[Path] = (),
) -> Path:
    """Train by pairs and return the checkpoint's folder.

    Args:
        config: The recipe.
        data_folder: As `merl data prepare` writes it, for this recipe.
        run_folder: For metrics, states and the checkpoint.
        resume: Whether the run in the folder goes on.
        group: This process among all.
        device: A torch device.
        n_workers: Processes that read batches ahead.
        cache: Folder for the vectors of reports; None for one in the run's.
        tensorboard: Whether metrics are drawn, too.
        select_on: Prepared folders with classes, where the recipe chooses an epoch by labels.

    Raises:
        MerlError: The data do not fit the recipe, the run cannot go on, a loss is not finite,
            or TensorBoard is not installed.
        CheckpointError: The text model is not on this machine.
    """
    group = group or Group()
    run = RunFolder(run_folder, resume=resume if group.is_first else None)
    data = PreparedSet(data_folder, config.model.signal)
    labelled = load_labelled(config, select_on)
    cache = cache or run_folder / "text_vectors"
    if group.is_first:  # the others find the vectors of reports in the cache
        reports = load_reports(config, data, cache)
    group.wait()
    if not group.is_first:
        reports = load_reports(config, data, cache)
    board = _board(run_folder) if tensorboard and group.is_first else None
    training = PairTraining(
        config,
        data,
        reports,
        run,
        group=group,
        device=torch.device(device),
        n_workers=n_workers,
        board=board,
        labelled=labelled,
    )
    try:
        return training.fit()
    finally:
        if board is not None:
            board.close()


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        msg = "TensorBoard is not installed: pip install 'merl-ckepe[train]'"
        raise MerlError(msg) from error
    return SummaryWriter(str(folder / "tensorboard"))
