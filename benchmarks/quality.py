"""The quality score against the readers of the 2011 challenge, in sample and cross-validated.

    python -m benchmarks.quality SET_A_PART1.npz

Set A of the PhysioNet/CinC Challenge 2011 (Silva 2011) marks recordings as acceptable or not. The
score's weights were fitted to the half that is read here, so that the AUROC of the score as it
ships is in sample. Beside it, on repeated stratified folds: the same four values weighed anew in
each training part; and values and weights both chosen there, out of all that the checks measure,
by an inner cross-validation. The verdict's threshold is 0.5 of the score, as shipped. Writes
`benchmarks/results/quality.json`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from merl_core.quality import ACCEPTABLE_SCORE, SCORE_VALUES, Quality, assess_quality
from merl_core.records import STANDARD_LEADS, Record

RESULTS = Path(__file__).parent / "results" / "quality.json"
N_FOLDS, N_REPEATS, N_CHOSEN = 5, 4, 4
N_BOOTSTRAPS = 2000
_SKIPPED = ("duration_s", "missing_share", "limb_lead_reversal")
"""Checks whose value is the same in every recording of the set, or no measure of noise."""


def read(path: Path) -> tuple[list[Quality], NDArray[np.bool_]]:
    """Return the quality of each labelled recording, and whether readers accepted it."""
    with np.load(path) as data:
        signals, labels = data["signal"], data["acceptable"]
        unit_mv, fs = float(data["unit_microvolt"]) / 1000, float(data["fs"])
    known = labels != -1
    found = [
        assess_quality(Record((signal * unit_mv).astype(np.float32), STANDARD_LEADS, fs))
        for signal in signals[known]
    ]
    return found, labels[known] == 1


def values_of(found: list[Quality]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names and values (N, F) of what the score weighs and the checks measure."""
    names = [check.name for check in found[0].checks if check.name not in _SKIPPED]
    rows = []
    for quality in found:
        measured = {check.name: check.value for check in quality.checks}
        rows.append([*quality.score_values, *(np.log1p(max(measured[n], 0.0)) for n in names)])
    return [*SCORE_VALUES, *names], np.array(rows)


def model() -> Pipeline:
    """Return the kind of model that the score is."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def chosen_columns(x: NDArray[np.float64], y: NDArray[np.bool_]) -> list[int]:
    """Return `N_CHOSEN` columns, each the one that adds most to the AUROC of inner folds."""
    chosen: list[int] = []
    while len(chosen) < N_CHOSEN:
        gains = {
            column: float(
                cross_val_score(model(), x[:, [*chosen, column]], y, cv=5, scoring="roc_auc").mean()
            )
            for column in range(x.shape[1])
            if column not in chosen
        }
        chosen.append(max(gains, key=lambda column: gains[column]))
    return chosen


def cross_validated(
    x: NDArray[np.float64], y: NDArray[np.bool_], *, choose: bool
) -> tuple[NDArray[np.float64], list[float]]:
    """Return each recording's mean score from folds that did not see it, and each fold's AUROC."""
    folds = RepeatedStratifiedKFold(n_splits=N_FOLDS, n_repeats=N_REPEATS, random_state=0)
    total = np.zeros(len(y))
    aurocs = []
    for train, test in folds.split(x, y):
        columns = chosen_columns(x[train], y[train]) if choose else list(range(x.shape[1]))
        fitted = model().fit(x[train][:, columns], y[train])
        scores = fitted.predict_proba(x[test][:, columns])[:, 1]
        total[test] += scores / N_REPEATS
        aurocs.append(float(roc_auc_score(y[test], scores)))
    return total, aurocs


def interval(y: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[float]:
    """Return the 95 % bootstrap interval of an AUROC over recordings."""
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, len(y), len(y)) for _ in range(N_BOOTSTRAPS))
    aurocs = [roc_auc_score(y[rows], scores[rows]) for rows in drawn]
    return [round(float(q), 4) for q in np.quantile(aurocs, (0.025, 0.975))]


def row(y: NDArray[np.bool_], scores: NDArray[np.float64]) -> dict[str, Any]:
    """Return the AUROC of scores with its interval."""
    return {"auroc": round(float(roc_auc_score(y, scores)), 4), "auroc_ci": interval(y, scores)}


def measure(path: Path) -> dict[str, Any]:
    """Return the report."""
    found, y = read(path)
    names, x = values_of(found)
    n_used = len(SCORE_VALUES)
    shipped = np.array([quality.score for quality in found])
    accepted = shipped >= ACCEPTABLE_SCORE
    weights, weight_aurocs = cross_validated(x[:, :n_used], y, choose=False)
    both, both_aurocs = cross_validated(x, y, choose=True)
    return {
        "data": "PhysioNet/CinC Challenge 2011, set A, half",
        "n_records": len(y),
        "n_unacceptable": int((~y).sum()),
        "folds": f"{N_REPEATS} times {N_FOLDS}, stratified",
        "shipped_in_sample": {
            **row(y, shipped),
            "sensitivity_to_unacceptable": round(float((~accepted[~y]).mean()), 3),
            "specificity": round(float(accepted[y].mean()), 3),
        },
        "weights_cross_validated": {
            **row(y, weights),
            "fold_auroc_mean": round(float(np.mean(weight_aurocs)), 4),
            "fold_auroc_min": round(min(weight_aurocs), 4),
        },
        "values_and_weights_cross_validated": {
            **row(y, both),
            "fold_auroc_mean": round(float(np.mean(both_aurocs)), 4),
            "fold_auroc_min": round(min(both_aurocs), 4),
        },
        "one_value_without_any_fit": {
            name: row(y, x[:, names.index(name)]) for name in SCORE_VALUES[:2]
        },
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    result = measure(parser.parse_args().path)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
