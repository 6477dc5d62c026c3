"""A baseline that sees every label: an ECG encoder and a linear layer, trained from scratch."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from merl_core.datasets.prepared import PreparedSet
from merl_core.errors import MerlError
from merl_core.linear_probe import SEEDS, SHARES, joined, measure, stratified_share
from merl_core.metrics import auroc
from merl_core.model import MerlModel, ModelConfig

_ENCODED_AT_ONCE: Final = 64
_CHECKS: Final = 10
"""How often in a training the validation records are looked at."""
_LEAST_STEPS: Final = 60
"""Updates of a training on a share so small that its epochs have fewer."""


@dataclass(frozen=True, eq=False, slots=True)
class SignalData:
    """Prepared signals, labels and patients of one split."""

    batch: Callable[[NDArray[np.intp]], Tensor]
    """Takes rows and returns their signals (B, L, T)."""
    y_true: NDArray[np.float64]
    """Shape (N, C); 1, 0, or NaN where unknown."""
    patients: tuple[str, ...]

    @classmethod
    def of_array(
        cls,
        signals: NDArray[np.float32],
        y_true: NDArray[np.float64],
        patients: Sequence[str],
    ) -> Self:
        """Return a split whose signals, (N, L, T), are in memory."""
        return cls(lambda rows: torch.from_numpy(signals[rows]), y_true, tuple(patients))

    @classmethod
    def of_prepared(cls, data: PreparedSet, split: str) -> Self:
        """Return a split of a prepared folder, read as it is needed.

        Raises:
            MerlError: The folder was prepared without classes, or no recording is in the split.
        """
        if not data.labels:
            msg = f"{data.folder}: prepared from a manifest without classes"
            raise MerlError(msg)
        places = data.rows_of(split)
        patients = tuple(data.patients[place] for place in places)
        return cls(lambda rows: data.signals(places[rows]), data.y_true[places], patients)

    def __len__(self) -> int:
        return len(self.y_true)


@dataclass(frozen=True, slots=True)
class SupervisedRecipe:
    """How the encoder is trained, by AdamW on a one-cycle schedule."""

    n_epochs: int = 12
    """Passes over a share."""
    batch_size: int = 32
    learning_rate: float = 2e-3
    """The highest of the schedule."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the forward and backward pass."""


class Classifier(nn.Module):
    """The ECG tower of a model and a linear layer on its projected feature."""

    def __init__(self, config: ModelConfig, n_classes: int) -> None:
        super().__init__()
        self.tower = MerlModel(config)
        self.head = nn.Linear(config.embed_dim, n_classes)

    def forward(self, signals: Tensor) -> Tensor:
        """Return logits (B, C) of signals (B, L, T)."""
        logits: Tensor = self.head(self.tower.project_ecg(signals)[1].float())
        return logits


def supervised(
    labels: Sequence[str],
    config: ModelConfig,
    train: SignalData,
    validation: SignalData,
    test: SignalData,
    *,
    recipe: SupervisedRecipe | None = None,
    shares: Sequence[float] = SHARES,
    seeds: Sequence[int] = SEEDS,
    device: torch.device | None = None,
    n_bootstraps: int = 1000,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return the test AUROC of encoders trained from random weights on shares of the labels.

    The shares are those of `linear_probe.probe`, so both can be compared. The weights kept are
    those of the highest macro AUROC on the validation records; the test records are seen once.

    Args:
        labels: The C classes.
        config: Of the model whose ECG tower is trained.
        train: Where the shares are drawn from.
        validation: Chooses the moment.
        test: Is measured.
        recipe: None for the usual one.
        shares: Of the training records.
        seeds: One draw and one training each.
        device: Where the encoder is; None for the CPU.
        n_bootstraps: Samples for the intervals, over the test's patients.
        on_progress: Called after each training.

    Returns:
        As `linear_probe.probe`: `recipe`, `runs` and `shares`.

    Raises:
        MerlError: A split is empty, or a loss is not finite.
    """
    for name, part in (("train", train), ("validation", validation), ("test", test)):
        if len(part) == 0:
            msg = f"training needs {name} recordings; there are none"
            raise MerlError(msg)
    recipe, device = recipe or SupervisedRecipe(), device or torch.device("cpu")
    plan = [(share, seed) for share in shares for seed in seeds]
    runs = []
    for share, seed in plan:
        rows = stratified_share(train.y_true, share, seed)
        model, found = _fit(config, train, rows, validation, seed, recipe, device)
        about = {"share": share, "seed": seed, "n_train": len(rows)}
        y_score = _scores(model, test, device)
        runs.append(
            about
            | {"validation_macro_auroc": found}
            | measure(labels, test.y_true, test.patients, y_score, n_bootstraps)
        )
        if on_progress is not None:
            on_progress(len(runs), len(plan))
    by_share = [joined(runs, share) for share in shares]
    return {"recipe": asdict(recipe), "runs": runs, "shares": by_share}


def _fit(
    config: ModelConfig,
    train: SignalData,
    rows: NDArray[np.intp],
    validation: SignalData,
    seed: int,
    recipe: SupervisedRecipe,
    device: torch.device,
) -> tuple[Classifier, float]:
    """Return the classifier of the best moment, and its macro AUROC on the validation records."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Classifier(config, train.y_true.shape[1]).to(device)
    trained = [*model.tower.ecg_parameters(), *model.head.parameters()]
    n_steps = max(_LEAST_STEPS, recipe.n_epochs * len(rows) // recipe.batch_size)
    rate, size = recipe.learning_rate, min(recipe.batch_size, len(rows))
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps)
    best, kept = -1.0, copy.deepcopy(model.state_dict())
    for step in range(1, n_steps + 1):
        model.train()
        batch = rng.choice(rows, size, replace=False)
        y_true = torch.from_numpy(train.y_true[batch]).float().to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            logits = model(train.batch(batch).to(device)).float()
        loss = F.binary_cross_entropy_with_logits(
            logits, y_true.nan_to_num(), (~y_true.isnan()).float()
        )
        if not bool(loss.isfinite()):
            msg = f"the loss is {float(loss.detach())!r} at step {step}"
            raise MerlError(msg)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        if step % max(1, n_steps // _CHECKS) == 0 or step == n_steps:
            values = auroc(validation.y_true, _scores(model, validation, device))
            found = 0.5 if np.isnan(values).all() else float(np.nanmean(values))
            if found > best:
                best, kept = found, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return model, best


def _scores(model: Classifier, data: SignalData, device: torch.device) -> NDArray[np.float64]:
    model.eval()
    rows = np.arange(len(data))
    with torch.inference_mode():
        parts = [
            model(data.batch(rows[first : first + _ENCODED_AT_ONCE]).to(device)).double().cpu()
            for first in range(0, len(data), _ENCODED_AT_ONCE)
        ]
    return torch.cat(parts).numpy()
