"""AUROC, average precision and bootstrap intervals, vectorised."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

_MAX_CELLS: Final = 200_000
"""Levels times samples that are worked on at once: what a processor's cache holds."""

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
    values: Floats = _of_all_records(y_true, y_score).auroc[0]
    return values


def average_precision(y_true: ArrayLike, y_score: ArrayLike) -> Floats:
    """Return the average precision (AUPRC) of each class.

    Equals `sklearn.metrics.average_precision_score` to 1e-12.

    Args:
        y_true: Shape (N, C), 0 or 1; NaN where unknown.
        y_score: Shape (N, C).

    Returns:
        Shape (C,); NaN for a class without positives.
    """
    values: Floats = _of_all_records(y_true, y_score).average_precision[0]
    return values


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Metrics of bootstrap samples, each of shape (n_bootstraps, C).

    NaN where a sample lacks positives, or for AUROC negatives.
    """

    auroc: Floats
    average_precision: Floats


def bootstrap(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_bootstraps: int = 1000,
    seed: int = 0,
) -> Bootstrap:
    """Return AUROC and AUPRC of samples drawn with replacement, all classes from the same ones.

    Args:
        y_true: Shape (N, C), 0 or 1; NaN where unknown.
        y_score: Shape (N, C).
        groups: Shape (N,), patients: drawn as a whole. None draws records.
        n_bootstraps: Number of samples.
        seed: Of the random numbers.
    """
    truth, score = _as_columns(y_true, y_score)
    return _measure(truth, score, _draw_weights(len(truth), groups, n_bootstraps, seed))


def interval(samples: Floats, level: float = 0.95) -> Floats:
    """Return lower and upper bound of each class, shape (C, 2), for samples (n_bootstraps, C)."""
    bounds = np.full((samples.shape[1], 2), np.nan)
    edges = [50 * (1 - level), 50 * (1 + level)]
    for c in range(samples.shape[1]):
        values = samples[:, c]
        values = values[~np.isnan(values)]
        if len(values):
            bounds[c] = np.percentile(values, edges)
    return bounds


def macro_interval(samples: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the bounds of the mean over those classes that a sample defines; NaN without any."""
    counted = ~np.isnan(samples)
    defined = counted.any(axis=1)
    values, counted = samples[defined], counted[defined]
    macro = np.where(counted, values, 0.0).sum(axis=1) / counted.sum(axis=1)
    low, high = interval(macro[:, None], level)[0]
    return float(low), float(high)


def _of_all_records(y_true: ArrayLike, y_score: ArrayLike) -> Bootstrap:
    truth, score = _as_columns(y_true, y_score)
    return _measure(truth, score, np.ones((len(truth), 1), dtype=np.int32))


def _measure(truth: Floats, score: Floats, weights: NDArray[np.int32]) -> Bootstrap:
    """Return the metrics of each column of record weights, shape (N, n_bootstraps)."""
    n_samples, n_classes = weights.shape[1], truth.shape[1]
    roc = np.full((n_samples, n_classes), np.nan)
    precision = roc.copy()
    for c in range(n_classes):
        ranking = _Ranking.of(truth[:, c], score[:, c])
        n_levels = ranking.positives.shape[0]
        step = max(16, _MAX_CELLS // max(1, n_levels))
        for start in range(0, n_samples if n_levels else 0, step):
            part = slice(start, start + step)
            roc[part, c], precision[part, c] = ranking.measure(weights[:, part])
    return Bootstrap(roc, precision)


@dataclass(frozen=True, slots=True)
class _Ranking:
    """One class: where its records stand among the K distinct scores of its positives.

    Both metrics follow from how many of each kind stand at, and between, those levels, so that
    a bootstrap sample costs one sparse product.
    """

    positives: csr_array
    """Shape (K, N): 1 where a positive has the k-th highest of the scores."""
    negatives: csr_array
    """Shape (2 K + 1, N): row 2 k is between level k - 1 and level k, row 2 k + 1 at level k."""

    @classmethod
    def of(cls, truth: Floats, score: Floats) -> "_Ranking":
        is_positive, is_negative = truth == 1, truth == 0
        levels = np.unique(-score[is_positive])
        n_levels = len(levels)
        place = np.searchsorted(levels, -score)
        is_tied = np.isin(-score, levels)
        return cls(
            _membership(place, is_positive, n_levels),
            _membership(2 * place + is_tied, is_negative, 2 * n_levels + 1),
        )

    def measure(self, weights: NDArray[np.int32]) -> tuple[Floats, Floats]:
        """Return AUROC and average precision for record weights of shape (N, n_bootstraps)."""
        hits = self.positives @ weights  # (K, n_bootstraps)
        false = (self.negatives @ weights).cumsum(axis=0)
        above, not_below, n_negative = false[:-1:2], false[1::2], false[-1].astype(np.float64)
        found = hits.cumsum(axis=0)
        n_positive = found[-1].astype(np.float64)
        lost = np.einsum("kb,kb->b", hits, above + not_below, dtype=np.float64)
        precision = found / np.maximum(found + not_below, 1)
        gained = np.einsum("kb,kb->b", hits, precision)
        with np.errstate(invalid="ignore", divide="ignore"):
            return 1 - lost / (2 * n_positive * n_negative), gained / n_positive


def _membership(rows: NDArray[np.int64], mask: NDArray[np.bool_], n_rows: int) -> csr_array:
    columns = np.flatnonzero(mask)
    ones = np.ones(len(columns), dtype=np.int32)
    return csr_array((ones, (rows[columns], columns)), shape=(n_rows, len(mask)))


def _draw_weights(
    n_records: int, groups: ArrayLike | None, n_bootstraps: int, seed: int
) -> NDArray[np.int32]:
    """Return how often each sample holds each record, shape (N, n_bootstraps)."""
    rng = np.random.default_rng(seed)
    if groups is None:
        member, n_groups = np.arange(n_records), n_records
    else:
        names, member = np.unique(np.asarray(groups), return_inverse=True)
        n_groups = len(names)
    counts = np.empty((n_bootstraps, n_groups), dtype=np.int32)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
    return np.ascontiguousarray(counts.T[member])


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
