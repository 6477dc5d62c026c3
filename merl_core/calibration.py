"""Calibration: from a class's score to a probability, fitted on a named data set."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from merl_core.checkpoint import Calibration
from merl_core.errors import MerlError

Method = Literal["platt", "isotonic"]
Floats = NDArray[np.float64]

MIN_CASES: Final = 10
"""Patients of each kind that a class needs; below that a curve would be a guess."""
_N_FOLDS: Final = 5
_N_BINS: Final = 10
_WEAK_PENALTY: Final = 1e4
_MAX_KNOTS: Final = 50


def fit_calibration(
    labels: Sequence[str],
    y_true: Floats,
    y_score: NDArray[np.float32],
    patients: Sequence[str],
    prompts: Mapping[str, str],
    *,
    fitted_on: str,
    method: Method = "platt",
    seed: int = 0,
) -> tuple[dict[str, Calibration], list[dict[str, Any]]]:
    """Return the calibration of each class with enough cases, and a report of every class.

    The report's errors are those of patients that the curve was not fitted on (five folds by
    patient): `ece`, the expected calibration error over ten bins of equal size, and `brier`.
    Saying the prevalence for everybody has a small `ece` too, so compare `brier` with
    `brier_of_prevalence`.

    Source: Platt 1999 (with his targets); Zadrozny and Elkan 2002 (isotonic); Naeini et al. 2015
    (expected calibration error).

    Args:
        labels: The C classes.
        y_true: Shape (N, C); 0, 1 or NaN.
        y_score: Shape (N, C), cosines.
        patients: Shape (N,).
        prompts: Text by class: a calibration holds for this text only.
        fitted_on: Name of the data set.
        method: `platt`, or `isotonic` where there are hundreds of cases.
        seed: Of the folds.

    Raises:
        MerlError: No class has enough cases.
    """
    found: dict[str, Calibration] = {}
    report: list[dict[str, Any]] = []
    for c, label in enumerate(labels):
        known = ~np.isnan(y_true[:, c])
        truth, score = y_true[known, c], y_score[known, c].astype(np.float64)
        groups = np.asarray(patients)[known]
        n_positive, n_negative = (len(set(groups[truth == kind])) for kind in (1, 0))
        row: dict[str, Any] = {"label": label, "n_positive": int(truth.sum()), "n": len(truth)}
        if min(n_positive, n_negative) < MIN_CASES:
            reason = f"{n_positive} patients with and {n_negative} without; {MIN_CASES} are needed"
            report.append(row | {"calibrated": False, "reason": reason})
            continue
        errors = _errors(truth, _out_of_fold(truth, score, groups, method, seed))
        prevalence = np.full(len(truth), truth.mean())
        report.append(
            row
            | {"calibrated": True, **errors}
            | {"brier_of_prevalence": float(((truth - prevalence) ** 2).mean())}
        )
        x, y = _fit(truth, score, method)
        found[label] = Calibration(
            scores=tuple(x),
            log_odds=tuple(y),
            prompt=prompts[label],
            fitted_on=fitted_on,
            method=method,
            n_positive=int(truth.sum()),
            n_records=len(truth),
            ece=errors["ece"],
        )
    if not found:
        msg = f"no class of {fitted_on!r} has {MIN_CASES} patients with and without it"
        raise MerlError(msg)
    return found, report


def expected_calibration_error(y_true: Floats, probability: Floats, n_bins: int = _N_BINS) -> float:
    """Return the mean distance of what was said and what came true, over bins of equal size.

    Args:
        y_true: Shape (N,), 0 or 1.
        probability: Shape (N,).
        n_bins: Bins by rank of the probability.
    """
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(n_bins, len(order)))
    gaps = [len(p) * abs(probability[p].mean() - y_true[p].mean()) for p in parts]
    return float(sum(gaps) / len(order))


def _errors(truth: Floats, probability: Floats) -> dict[str, float]:
    return {
        "ece": expected_calibration_error(truth, probability),
        "brier": float(((truth - probability) ** 2).mean()),
    }


def _out_of_fold(
    truth: Floats, score: Floats, groups: NDArray[Any], method: Method, seed: int
) -> Floats:
    """Return for each record the probability of a curve fitted on other patients."""
    folds = StratifiedGroupKFold(_N_FOLDS, shuffle=True, random_state=seed)
    out = np.full(len(truth), truth.mean())
    for train, test in folds.split(score, truth, groups):
        if len(set(truth[train])) == 2:
            x, y = _fit(truth[train], score[train], method)
            out[test] = 1 / (1 + np.exp(-_interpolate(score[test], x, y)))
    return out


def _interpolate(score: Floats, x: Floats, y: Floats) -> Floats:
    values: Floats = np.interp(score, x, y)
    return values


def _fit(truth: Floats, score: Floats, method: Method) -> tuple[Floats, Floats]:
    """Return a curve: scores, ascending, and log odds at them; straight between, flat beyond."""
    low, high = float(score.min()), float(score.max())
    n_positive = truth.sum()
    n_negative = len(truth) - n_positive
    ceiling = (n_positive + 1) / (n_positive + 2)
    floor = 1 / (n_negative + 2)
    if method == "platt":
        weights = np.concatenate(
            [np.where(truth == 1, ceiling, floor), np.where(truth == 1, 1 - ceiling, 1 - floor)]
        )
        both = np.concatenate([score, score])[:, None]
        kind = np.repeat([1, 0], len(score))
        model = LogisticRegression(C=_WEAK_PENALTY, max_iter=1000)
        model.fit(both, kind, sample_weight=weights)
        x = np.array([low, high])
        return x, x * model.coef_[0, 0] + model.intercept_[0]
    model = IsotonicRegression(y_min=floor, y_max=ceiling, out_of_bounds="clip").fit(score, truth)
    x = np.unique(np.quantile(model.X_thresholds_, np.linspace(0, 1, _MAX_KNOTS)))
    p = model.predict(x)
    return x, np.log(p / (1 - p))
