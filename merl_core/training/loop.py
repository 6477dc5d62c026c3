"""The training loop by pairs: one process or many, interrupted or not, with the same result."""

import copy
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from merl_core.checkpoint import CheckpointConfig, save_checkpoint
from merl_core.datasets.prepared import PreparedSet
from merl_core.errors import MerlError
from merl_core.model import MerlModel, count_parameters
from merl_core.text_tower import TextTower
from merl_core.training.config import PairConfig
from merl_core.training.distributed import Group, synchronize_batch_norm
from merl_core.training.labelled import LabelledSet
from merl_core.training.pairs import PairBatches, PairModel, Reports, pair_losses, rows_with_report
from merl_core.training.run_folder import RunFolder
from merl_core.training.sampling import EpochBatches
from merl_core.training.schedule import cosine, restarts
from merl_core.training.validation import validate

logger = logging.getLogger(__name__)

_PRECISIONS: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_BETTER: Final = {
    "validation_loss": ("val_loss", -1.0),
    "retrieval": ("val_recall_at_10", 1.0),
    "labelled_auroc": ("val_labelled_auroc", 1.0),
}


class Board(Protocol):
    """Where scalars are drawn: TensorBoard's `SummaryWriter`."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Add a point."""


class PairTraining:
    """A training by pairs.

    Everything random follows from the seed, the step and the process, so a run that goes on from
    a saved state makes the same updates as one that was never interrupted.

    Args:
        config: The recipe.
        data: Prepared signals with reports; splits `train` and `val`.
        reports: Their reports.
        run: Where metrics, states and the checkpoint go.
        group: This process among all.
        device: Where the model is.
        n_workers: Processes that read batches ahead.
        board: TensorBoard, if wanted.
        labelled: What the epoch is chosen on, if the recipe chooses by labels.
    """

    def __init__(
        self,
        config: PairConfig,
        data: PreparedSet,
        reports: Reports,
        run: RunFolder,
        *,
        group: Group | None = None,
        device: torch.device | None = None,
        n_workers: int = 0,
        board: Board | None = None,
        labelled: Sequence[LabelledSet] = (),
    ) -> None:
        self.config, self.data, self.reports, self.run = config, data, reports, run
        self.group, self.device = group or Group(), device or torch.device("cpu")
        self.board, self.labelled = board, labelled
        self.rows = rows_with_report(data, "train")
        self.validation_rows = rows_with_report(data, "val")
        self.batches = EpochBatches(self.rows, config.batch_size, config.seed, self.group)
        self.loader = _loader(data, config, self.batches, n_workers, self.device)
        torch.manual_seed(config.seed)
        self.model = build(config, reports, self.device)
        self.wrapped = self._wrap()
        self.optimizer = torch.optim.AdamW(_groups(self.model, config), lr=config.learning_rate)
        scales = config.precision == "float16"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scales)
        self.step, self.epoch, self.batch = 0, 0, 0
        self.best: float | None = None

    def fit(self) -> Path:
        """Train to the end, and return the checkpoint's folder.

        Raises:
            MerlError: A loss is not finite (the batch's recordings are named), or the run was
                begun with another config or other data.
        """
        if self.group.is_first:
            self.run.begin(self._description())
        self.group.wait()
        self._resume()
        logger.info("%d parameters, %d updates", count_parameters(self.model), self.n_steps)
        while self.epoch < self.config.n_epochs:
            self._train_epoch()
            self.epoch, self.batch = self.epoch + 1, 0
            self._finish_epoch()
        return self.checkpoint_folder

    @property
    def checkpoint_folder(self) -> Path:
        """Where the kept model goes."""
        return self.run.path / self.config.name

    @property
    def n_steps(self) -> int:
        """Updates in all."""
        return self.config.n_epochs * len(self.batches)

    def _train_epoch(self) -> None:
        self.batches.set_epoch(self.epoch, self.batch)
        self.model.train()
        started, n_since = time.monotonic(), 0
        for signals, rows in self.loader:
            losses = self.update(signals, rows)
            n_since += self.config.batch_size
            if self.step % self.config.log_every == 0:
                seconds = time.monotonic() - started
                rate = {"records_per_s": round(n_since / max(seconds, 1e-9), 1)}
                self._log({name: self.group.mean(value) for name, value in losses.items()} | rate)
                started, n_since = time.monotonic(), 0
            if self.step % self.config.save_every == 0:
                self._save_state()

    def update(self, signals: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Make one update with this process's part of a batch; return the losses.

        Raises:
            MerlError: The loss is not finite.
        """
        config = self.config
        torch.manual_seed(_seed_of(config.seed, self.step, self.group.rank))
        rate = config.learning_rate * self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        texts, is_token = self.reports.batch(rows, self.device)
        with self._autocast():
            features = self.wrapped(signals.to(self.device, non_blocking=True), texts, is_token)
        ids = self.reports.ids[rows].to(self.device)
        losses = pair_losses(features, ids, self.model.merl, config, self.group)
        self._check_finite(losses["loss"], rows)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()  # type: ignore[no-untyped-call]
        if config.max_grad_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with torch.no_grad():
            self.model.merl.logit_scale.clamp_(1, 100)
        self.step, self.batch = self.step + 1, self.batch + 1
        return {name: loss.detach() for name, loss in losses.items()}

    def _wrap(self) -> nn.Module:
        if self.config.sync_batch_norm:
            self.model.merl = cast(
                MerlModel, synchronize_batch_norm(self.model.merl, self.group, self.device)
            )
        if self.group.size == 1:
            return self.model
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(self.model, device_ids=devices)

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = _PRECISIONS.get(self.config.precision)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None)

    def _rate(self) -> float:
        if self.config.schedule == "paper_restarts":
            return restarts(self.step)
        return cosine(self.step, self.n_steps, self.config.warmup_steps)

    def _check_finite(self, loss: Tensor, rows: Tensor) -> None:
        is_finite = math.isfinite(float(loss.detach()))
        if self.group.all_true(is_finite, self.device):
            return
        where = f"at step {self.step + 1} (epoch {self.epoch + 1})"
        if is_finite:
            msg = f"the loss of another process is not finite {where}"
            raise MerlError(msg)
        names = ", ".join(self.data.record_ids[int(row)] for row in rows)
        msg = f"the loss is {float(loss.detach())!r} {where}; recordings of the batch: {names}"
        raise MerlError(msg)

    def _finish_epoch(self) -> None:
        """Validate, keep the model if it is the best, and save the state; by the first process."""
        if self.group.is_first:
            found = validate(
                self.model, self.data, self.reports, self.validation_rows, self.config, self.device
            )
            found |= self._labelled_aurocs()
            self._log(found)
            if self._is_best(found):
                self._save_checkpoint(found)
            self._save_state()
        self.group.wait()

    def _labelled_aurocs(self) -> dict[str, float]:
        size = self.config.validation_batch_size
        found = {
            f"val_auroc_{one.name}": one.macro_auroc(self.model, self.reports, size, self.device)
            for one in self.labelled
        }
        return found | ({"val_labelled_auroc": float(np.mean([*found.values()]))} if found else {})

    def _description(self) -> dict[str, Any]:
        found = describe(self.config, self.data, self.reports, self.group)
        chosen_on = [{"set": one.name, "sha256": one.data.sha256} for one in self.labelled]
        return found | ({"selected_on_labels_of": chosen_on} if chosen_on else {})

    def _is_best(self, found: dict[str, float]) -> bool:
        if self.config.select_by == "last":
            return True
        name, sign = _BETTER[self.config.select_by]
        value = sign * found[name]
        if self.best is not None and value <= self.best:
            return False
        self.best = value
        return True

    def _log(self, values: dict[str, float]) -> None:
        if not self.group.is_first:
            return
        rounded = {name: round(value, 6) for name, value in values.items()}
        row: dict[str, Any] = {"step": self.step, "epoch": self.epoch, **rounded}
        row["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        self.run.log(row)
        logger.info("%s", row)
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, float(value), self.step)

    def _save_state(self) -> None:
        if not self.group.is_first:
            return
        self.run.save_state(
            {
                "step": self.step,
                "epoch": self.epoch,
                "batch": self.batch,
                "best": self.best,
                "model": _trained_state(self.model),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
            }
        )

    def _resume(self) -> None:
        state = self.run.load_state(self.device)
        if state is None:
            if self.group.is_first:
                self.run.drop_metrics_after(0)
            return
        with self.run.taking_up_state():
            self.model.load_state_dict(self.model.state_dict() | state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            self.step, self.epoch, self.batch = state["step"], state["epoch"], state["batch"]
            self.best = state["best"]
        if self.group.is_first:
            self.run.drop_metrics_after(self.step)
        logger.info("going on from step %d", self.step)

    def _save_checkpoint(self, result: dict[str, float]) -> None:
        model = self.model.merl
        n_layers = self.config.unfrozen_text_layers
        text = model.config.text.model_copy(update={"n_adapted_layers": n_layers})
        description = CheckpointConfig(
            name=self.config.name,
            model=model.config.model_copy(update={"text": text}),
            training=self._description() | {"result": {"epoch": self.epoch, **result}},
        )
        tower = self.model.tower
        plain = copy.deepcopy(model).cpu()
        delta = None if tower is None else tower.delta()
        bank = self._reference_bank()
        save_checkpoint(self.checkpoint_folder, description, plain, bank, text_delta=delta)

    def _reference_bank(self) -> Tensor:
        """Return normalised features of training ECGs, without regard to labels."""
        rng = np.random.default_rng(self.config.seed)
        rows = np.sort(rng.permutation(self.rows)[: self.config.bank_size])
        model = self.model.merl.eval()
        parts = [torch.zeros(0, self.config.model.embed_dim)]
        with torch.no_grad():
            for first in range(0, len(rows), self.config.validation_batch_size):
                part = rows[first : first + self.config.validation_batch_size]
                parts.append(model.encode_ecg(self.data.signals(part).to(self.device)).cpu())
        self.model.train()
        return torch.cat(parts)


def build(config: PairConfig, reports: Reports, device: torch.device) -> PairModel:
    """Return an untrained model of a recipe; what its losses do not reach is not trained."""
    model = MerlModel(config.model)
    with torch.no_grad():
        model.logit_scale.fill_(config.initial_logit_scale)
    model.logit_scale.requires_grad_(config.learn_logit_scale and config.cma_weight > 0)
    for part in (model.linear1, model.linear2):
        part.requires_grad_(config.uma_weight > 0)
    if config.model.text.standardized and reports.vectors is not None:
        model.standardize_texts(reports.vectors)
    n_layers = config.unfrozen_text_layers
    tower = TextTower(reports.encoder, n_layers) if n_layers else None
    return PairModel(model, tower).to(device)


def describe(
    config: PairConfig, data: PreparedSet, reports: Reports, group: Group
) -> dict[str, Any]:
    """Return what decides a run's result: recipe, data hashes, text model, processes."""
    return {
        "recipe": config.model_dump(mode="json"),
        "data": {
            "folder": data.folder.name,
            "sha256": data.sha256,
            "n_train": len(rows_with_report(data, "train")),
            "n_val": len(rows_with_report(data, "val")),
            "n_without_report": sum(not text.strip() for text in data.reports),
            "n_reports": len(reports.texts),
        },
        "text_model": reports.encoder.embedder_id,
        "n_processes": group.size,
    }


def _groups(model: nn.Module, config: PairConfig) -> list[dict[str, Any]]:
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def _loader(
    data: PreparedSet,
    config: PairConfig,
    batches: EpochBatches,
    n_workers: int,
    device: torch.device,
) -> "DataLoader[tuple[Tensor, Tensor]]":
    return DataLoader(
        PairBatches(data, config),
        batch_sampler=_Reusable(batches),
        num_workers=n_workers,
        collate_fn=_as_it_is,
        pin_memory=device.type == "cuda",
    )


class _Reusable(torch.utils.data.Sampler[list[int]]):
    """What a data loader takes; it asks for the order anew in each epoch."""

    def __init__(self, batches: EpochBatches) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


def _as_it_is(batch: Any) -> Any:
    return batch


def _trained_state(model: PairModel) -> dict[str, Tensor]:
    """Return the state without the frozen layers of the text model."""
    frozen = {f"tower.module.{n}" for n, p in _text_parameters(model) if not p.requires_grad}
    return {name: t for name, t in model.state_dict().items() if name not in frozen}


def _text_parameters(model: PairModel) -> Iterator[tuple[str, nn.Parameter]]:
    if model.tower is not None:
        yield from model.tower.module.named_parameters()


def _seed_of(seed: int, step: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])
