"""AUROC, average precision and bootstrap intervals, vectorised."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MAX_CELLS: Final = 20_000_000

Floats = NDArray[np.float64]


def auroc(y_true: ArrayLike, y_score: ArrayLike) -> Floats:
    """Return the area under the ROC curve of each class; ties count half.

    Equals `sklearn.metrics.roc_auc_score` to 1e-12.

    Args:
        y_true: Shape (N, C), 0 or 1; NaN where unknown, left out for that class.
        y_score: Shape (N, C).

    Returns:
        Shape (C,); NaN for a class without positives or without negatives.
    """
    truth, score = _as_columns(y_true, y_score)
    out = np.full(truth.shape[1], np.nan)
    for c in range(truth.shape[1]):
        pairs = _Pairs.of(truth[:, c], score[:, c])
        if pairs is not None:
            out[c] = pairs.auroc()
    return out


def average_precision(y_true: ArrayLike, y_score: ArrayLike) -> Floats:
    """Return the average precision (AUPRC) of each class.

    Equals `sklearn.metrics.average_precision_score` to 1e-12.

    Args:
        y_true: Shape (N, C), 0 or 1; NaN where unknown.
        y_score: Shape (N, C).

    Returns:
        Shape (C,); NaN for a class without positives.
    """
    truth, score = _as_columns(y_true, y_score)
    out = np.full(truth.shape[1], np.nan)
    for c in range(truth.shape[1]):
        known = ~np.isnan(truth[:, c])
        y, s = truth[known, c], score[known, c]
        if y.sum() == 0:
            continue
        order = np.argsort(-s, kind="stable")
        y, s = y[order], s[order]
        last_of_tie = np.append(np.diff(s) != 0, True)
        hits = np.cumsum(y)[last_of_tie]
        seen = np.flatnonzero(last_of_tie) + 1
        gained = np.diff(hits, prepend=0.0)
        out[c] = float((gained * hits / seen).sum() / hits[-1])
    return out


@dataclass(frozen=True, slots=True)
class BootstrapAuroc:
    """AUROC of bootstrap samples."""

    per_class: Floats
    """Shape (n_bootstraps, C); NaN where a sample holds one kind of record only."""

    def interval(self, level: float = 0.95) -> Floats:
        """Return lower and upper bound of each class, shape (C, 2)."""
        return _interval(self.per_class, level)

    def macro_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the bounds of the mean over classes."""
        defined = ~np.isnan(self.per_class).all(axis=0)
        with np.errstate(invalid="ignore"):
            macro = _nanmean(self.per_class[:, defined])
        low, high = _interval(macro[:, None], level)[0]
        return float(low), float(high)


def bootstrap_auroc(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_bootstraps: int = 1000,
    seed: int = 0,
) -> BootstrapAuroc:
    """Return the AUROC of samples drawn with replacement, all classes from the same samples.

    Args:
        y_true: Shape (N, C), 0 or 1; NaN where unknown.
        y_score: Shape (N, C).
        groups: Shape (N,), patients: drawn as a whole. None draws records.
        n_bootstraps: Number of samples.
        seed: Of the random numbers.
    """
    truth, score = _as_columns(y_true, y_score)
    n_records, n_classes = truth.shape
    weights = _draw_weights(n_records, groups, n_bootstraps, seed)  # (n_bootstraps, N)
    out = np.full((n_bootstraps, n_classes), np.nan)
    for c in range(n_classes):
        pairs = _Pairs.of(truth[:, c], score[:, c])
        if pairs is None:
            continue
        step = max(1, _MAX_CELLS // n_records)
        for start in range(0, n_bootstraps, step):
            out[start : start + step, c] = pairs.weighted_auroc(weights[start : start + step])
    return BootstrapAuroc(out)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """One class: its positives, its negatives in order of score, and where positives fall."""

    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]
    below: NDArray[np.intp]
    """Negatives that score less than each positive."""
    not_above: NDArray[np.intp]
    """Negatives that score as much or less."""

    @classmethod
    def of(cls, truth: Floats, score: Floats) -> "_Pairs | None":
        positives = np.flatnonzero(truth == 1)
        negatives = np.flatnonzero(truth == 0)
        if len(positives) == 0 or len(negatives) == 0:
            return None
        negatives = negatives[np.argsort(score[negatives], kind="stable")]
        ordered = score[negatives]
        return cls(
            positives,
            negatives,
            np.searchsorted(ordered, score[positives], "left"),
            np.searchsorted(ordered, score[positives], "right"),
        )

    def auroc(self) -> float:
        won = int(self.below.sum()) + int(self.not_above.sum())
        return won / (2 * len(self.positives) * len(self.negatives))

    def weighted_auroc(self, weights: NDArray[np.float32]) -> Floats:
        """Return one value for each row of record weights, shape (n_bootstraps, N)."""
        negative = weights[:, self.negatives].cumsum(axis=1, dtype=np.float64)
        negative = np.pad(negative, ((0, 0), (1, 0)))
        positive = weights[:, self.positives].astype(np.float64)
        won = (positive * (negative[:, self.below] + negative[:, self.not_above])).sum(axis=1)
        pairs = 2 * positive.sum(axis=1) * negative[:, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            out: Floats = np.where(pairs > 0, won / pairs, np.nan)
        return out


def _draw_weights(
    n_records: int, groups: ArrayLike | None, n_bootstraps: int, seed: int
) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    if groups is None:
        member, n_groups = np.arange(n_records), n_records
    else:
        names, member = np.unique(np.asarray(groups), return_inverse=True)
        n_groups = len(names)
    counts = np.empty((n_bootstraps, n_groups), dtype=np.float32)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
    drawn: NDArray[np.float32] = counts[:, member]
    return drawn


def _as_columns(y_true: ArrayLike, y_score: ArrayLike) -> tuple[Floats, Floats]:
    truth = np.asarray(y_true, dtype=np.float64)
    score = np.asarray(y_score, dtype=np.float64)
    if truth.ndim == 1:
        truth, score = truth[:, None], score[:, None]
    if truth.shape != score.shape or truth.ndim != 2:
        msg = f"y_true of shape {truth.shape} does not match y_score of shape {score.shape}"
        raise ValueError(msg)
    if not np.isfinite(score).all():
        msg = "y_score holds values that are not finite"
        raise ValueError(msg)
    return truth, score


def _interval(samples: Floats, level: float) -> Floats:
    bounds = np.full((samples.shape[1], 2), np.nan)
    edges = [50 * (1 - level), 50 * (1 + level)]
    for c in range(samples.shape[1]):
        values = samples[:, c]
        values = values[~np.isnan(values)]
        if len(values):
            bounds[c] = np.percentile(values, edges)
    return bounds


def _nanmean(values: Floats) -> Floats:
    counted = ~np.isnan(values)
    out: Floats = np.where(counted, values, 0.0).sum(axis=1) / counted.sum(axis=1)
    return out
