"""Linear probe: how much of the classes a linear layer reads from frozen ECG features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from merl_core.errors import MerlError
from merl_core.metrics import auroc, bootstrap, interval, macro_interval

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Recipe = Literal["ours", "paper"]

SHARES: Final = (0.01, 0.1, 1.0)
SEEDS: Final = (0, 1, 2)
PENALTIES: Final = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
"""Weights of the squared length of a class's coefficients, beside the mean log loss."""
_PAPER_EPOCHS: Final = 100
_PAPER_BATCH: Final = 16
_PAPER_RATE: Final = 1e-3
_PAPER_FALL_AT: Final = 40


@dataclass(frozen=True, eq=False, slots=True)
class ProbeData:
    """Features (N, D) and labels (N, C) of one split, with the patients of the N records."""

    features: Features
    y_true: Floats
    patients: tuple[str, ...]


def probe(
    labels: Sequence[str],
    train: ProbeData,
    validation: ProbeData,
    test: ProbeData,
    *,
    shares: Sequence[float] = SHARES,
    seeds: Sequence[int] = SEEDS,
    recipe: Recipe = "ours",
    n_bootstraps: int = 1000,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return the test AUROC of probes on stratified shares of the training records.

    `ours`: features standardised on the share, one penalty for all classes chosen by macro AUROC
    on the validation records, the test records seen once. `paper`: what the public code of MERL
    does beyond that is wrong, kept for comparison: no standardising, a learning rate that falls
    tenfold after 40 steps, and the best *test* result over its epochs; the encoder stays frozen
    here, which that code leaves open.

    Classes without positives or negatives in the test records are left out, by name.

    Source: Liu et al. 2024 (MERL), section 4.2, and its public code for `paper`.

    Args:
        labels: The C classes.
        train: Where the shares are drawn from.
        validation: Chooses the penalty.
        test: Is measured.
        shares: Of the training records.
        seeds: One draw each; of all records there is one draw, and `ours` has one solution.
        recipe: `ours` or `paper`.
        n_bootstraps: Samples for the intervals, over the test's patients.
        on_progress: Called after each probe.

    Returns:
        `runs`, one for each share and seed, and `shares`, their mean with its spread over seeds.

    Raises:
        MerlError: A split is empty.
    """
    for name, part in (("train", train), ("validation", validation), ("test", test)):
        if len(part.features) == 0:
            msg = f"the probe needs {name} recordings; there are none"
            raise MerlError(msg)
    is_unique = recipe == "ours"
    plan = [
        (share, seed)
        for share in shares
        for seed in (seeds[:1] if share >= 1 and is_unique else seeds)
    ]
    runs = []
    for share, seed in plan:
        rows = stratified_share(train.y_true, share, seed)
        part = ProbeData(
            train.features[rows], train.y_true[rows], tuple(train.patients[i] for i in rows)
        )
        fit = _probe_ours if recipe == "ours" else _probe_paper
        y_score, chosen = fit(part, validation, test, seed)
        runs.append(
            {"share": share, "seed": seed, "n_train": len(rows)}
            | chosen
            | measure(labels, test.y_true, test.patients, y_score, n_bootstraps)
        )
        if on_progress is not None:
            on_progress(len(runs), len(plan))
    return {"recipe": recipe, "runs": runs, "shares": [joined(runs, share) for share in shares]}


def stratified_share(y_true: Floats, share: float, seed: int) -> NDArray[np.intp]:
    """Return rows of a random share in which each class keeps its share, one positive at least.

    The class with the fewest records left is divided first, as its records are the hardest to
    find.

    Source: Sechidis et al. 2011 (iterative stratification), for two parts.

    Args:
        y_true: Shape (N, C); unknown labels count as negative.
        share: 0 to 1.
        seed: Of the draw.
    """
    n_records = len(y_true)
    if share >= 1:
        return np.arange(n_records)
    rng = np.random.default_rng(seed)
    positive = y_true == 1
    wanted, wanted_in_all = share * positive.sum(axis=0), share * n_records
    is_open, is_chosen = np.ones(n_records, dtype=bool), np.zeros(n_records, dtype=bool)
    while (left := positive[is_open].sum(axis=0)).any():
        c = int(np.where(left > 0, left, n_records + 1).argmin())
        members = rng.permutation(np.flatnonzero(is_open & positive[:, c]))
        least = 0 if is_chosen[positive[:, c]].any() else 1
        taken = members[: max(least, round(wanted[c]))]
        is_chosen[taken], is_open[members] = True, False
        wanted = wanted - positive[taken].sum(axis=0)
    missing = max(0, round(wanted_in_all - is_chosen.sum()))
    is_chosen[rng.permutation(np.flatnonzero(is_open))[:missing]] = True
    return np.flatnonzero(is_chosen)


def fit_logistic(
    features: Floats,
    y_true: Floats,
    penalty: float,
    start: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats]:
    """Return coefficients (D, C) and intercepts (C,) of logistic regressions, all at once.

    Minimises mean log loss + penalty / 2 * |coefficients|^2 for each class; unknown labels
    (NaN) carry no loss. The classes do not share anything, so one L-BFGS run solves all of them.
    It begins at `start`, the solution of a neighbouring penalty, if there is one.
    """
    x, y = torch.from_numpy(features), torch.from_numpy(np.nan_to_num(y_true))
    known = torch.from_numpy(~np.isnan(y_true)).to(x.dtype)
    known /= known.sum(dim=0).clamp(min=1)
    if start is None:
        start = np.zeros((x.shape[1], y.shape[1])), np.zeros(y.shape[1])
    weight, bias = (torch.from_numpy(part.copy()).requires_grad_() for part in start)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=200, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        log_loss = F.binary_cross_entropy_with_logits(x @ weight + bias, y, known, reduction="sum")
        total = log_loss + penalty / 2 * weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach().numpy(), bias.detach().numpy()


def _probe_ours(
    train: ProbeData, validation: ProbeData, test: ProbeData, seed: int
) -> tuple[Floats, dict[str, Any]]:
    del seed  # the solution is unique
    mean = train.features.mean(axis=0, dtype=np.float64)
    spread = train.features.std(axis=0, dtype=np.float64) + 1e-6
    x, at_validation, at_test = (
        (part.features - mean) / spread for part in (train, validation, test)
    )
    best: tuple[float, float, Floats] | None = None
    solution: tuple[Floats, Floats] | None = None
    for penalty in PENALTIES:
        solution = weight, bias = fit_logistic(x, train.y_true, penalty, solution)
        values = auroc(validation.y_true, at_validation @ weight + bias)
        found = float(np.nanmean(values)) if not np.isnan(values).all() else 0.5
        if best is None or found > best[0]:
            best = (found, penalty, at_test @ weight + bias)
    assert best is not None
    return best[2], {"penalty": best[1], "validation_macro_auroc": best[0]}


def _probe_paper(
    train: ProbeData, validation: ProbeData, test: ProbeData, seed: int
) -> tuple[Floats, dict[str, Any]]:
    del validation  # the recipe looks at the test records
    torch.manual_seed(seed)
    x, y = torch.from_numpy(train.features), torch.from_numpy(np.nan_to_num(train.y_true)).float()
    at_test = torch.from_numpy(test.features)
    layer = nn.Linear(x.shape[1], y.shape[1])
    optimizer = torch.optim.Adam(layer.parameters(), lr=_PAPER_RATE)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [_PAPER_FALL_AT])
    best, y_score = -1.0, np.zeros(test.y_true.shape)
    for _ in range(_PAPER_EPOCHS):
        for rows in torch.split(torch.randperm(len(x)), _PAPER_BATCH):
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(layer(x[rows]), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        with torch.inference_mode():
            found = layer(at_test).double().numpy()
        macro = float(np.nanmean(auroc(test.y_true, found)))
        if macro > best:
            best, y_score = macro, found
    return y_score, {"chosen_on": "test, best of 100 epochs"}


def measure(
    labels: Sequence[str],
    y_true: Floats,
    patients: Sequence[str],
    y_score: Floats,
    n_bootstraps: int,
) -> dict[str, Any]:
    """Return macro and per-class AUROC with intervals over patients, for a run's result.

    Args:
        labels: The C classes; those without positives or negatives are named and left out.
        y_true: Shape (N, C).
        patients: Of the N records.
        y_score: Shape (N, C).
        n_bootstraps: Samples for the intervals.
    """
    values = auroc(y_true, y_score)
    defined = ~np.isnan(values)
    sample = bootstrap(y_true, y_score, groups=patients, n_bootstraps=n_bootstraps).auroc
    bounds = interval(sample)
    return {
        "macro_auroc": float(values[defined].mean()) if defined.any() else None,
        "macro_auroc_ci": list(macro_interval(sample[:, defined])) if defined.any() else None,
        "n_test": len(y_score),
        "n_classes": int(defined.sum()),
        "classes": [
            {
                "label": label,
                "auroc": float(values[c]),
                "auroc_ci": [float(bound) for bound in bounds[c]],
                "n_positive": int((y_true[:, c] == 1).sum()),
            }
            for c, label in enumerate(labels)
            if defined[c]
        ],
        "without_value": [label for c, label in enumerate(labels) if not defined[c]],
    }


def joined(runs: Sequence[dict[str, Any]], share: float) -> dict[str, Any]:
    """Return the mean of a share's runs, and the widest of their intervals' ends."""
    chosen = [run for run in runs if run["share"] == share and run["macro_auroc"] is not None]
    values = [run["macro_auroc"] for run in chosen]
    bounds = [run["macro_auroc_ci"] for run in chosen]
    return {
        "share": share,
        "n_train": max((run["n_train"] for run in runs if run["share"] == share), default=0),
        "macro_auroc": float(np.mean(values)) if values else None,
        "spread_over_seeds": float(np.std(values)) if values else None,
        "macro_auroc_ci": [min(b[0] for b in bounds), max(b[1] for b in bounds)]
        if bounds
        else None,
    }
