"""MIMIC-IV-ECG as published on PhysioNet: recordings, and the reports that the carts printed."""

import logging
import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from merl_core.datasets.manifest import Manifest, read_table, split_by_patient
from merl_core.errors import MerlError

logger = logging.getLogger(__name__)

RECORDS: Final = "record_list.csv"
MEASUREMENTS: Final = "machine_measurements.csv"
N_REPORT_LINES: Final = 18
MIN_WORDS: Final = 4
"""Shorter reports are left out. Source: Liu et al. 2024, section 4.1."""
VALIDATION_SHARE: Final = 0.02
_SALT: Final = "mimic-iv-ecg"


def load_mimic_iv_ecg(folder: Path, *, min_words: int = MIN_WORDS) -> Manifest:
    """Return recordings with cleaned reports, split by patient.

    Recordings and reports are joined by `study_id`, never by their place in the two tables, and
    all recordings of a `subject_id` fall into one split: 2 % of the patients into `val`.

    Args:
        folder: As published: `record_list.csv`, `machine_measurements.csv`, `files/`.
        min_words: Reports with fewer words are left out, and counted in the notices.

    Raises:
        MerlError: A table is absent, lacks a column, or names a study twice.
    """
    lines = [f"report_{i}" for i in range(N_REPORT_LINES)]
    records = read_table(folder / RECORDS, ["subject_id", "study_id", "path"])
    measured = read_table(folder / MEASUREMENTS, ["subject_id", "study_id", lines[0]])
    for name, table in ((RECORDS, records), (MEASUREMENTS, measured)):
        twice = table["study_id"][table["study_id"].duplicated()]
        if len(twice):
            msg = f"{folder / name}: study_id {twice.iloc[0]!r} is named twice"
            raise MerlError(msg)
    present = [line for line in lines if line in measured]
    reports = [clean_report(row) for row in measured[present].itertuples(index=False, name=None)]
    measured = measured[["subject_id", "study_id"]].assign(report=reports)
    joined = records.merge(measured, on="study_id", how="left", suffixes=("", "_measured"))
    notices = _notices(joined, min_words)
    kept = joined[_n_words(joined["report"]) >= min_words]
    if kept.empty:
        msg = f"{folder}: no recording has a report of {min_words} words"
        raise MerlError(msg)
    patients = tuple(kept["subject_id"])
    shares = (("val", VALIDATION_SHARE), ("train", 1.0))
    return Manifest(
        paths=tuple(f"{path}.hea" for path in kept["path"]),
        labels=(),
        y_true=np.zeros((len(kept), 0)),
        patients=patients,
        record_ids=tuple(kept["study_id"]),
        splits=split_by_patient(patients, shares, _SALT),
        reports=tuple(kept["report"]),
        notices=notices,
    )


def clean_report(lines: tuple[str, ...] | list[str]) -> str:
    """Return the lines of a report as one text.

    Empty lines are left out, the others joined by full stops; `EKG` becomes `ECG`; asterisks,
    equal signs and dashes around the text go; white space is made single; lower case.

    Source: Liu et al. 2024, public code of MERL, pre-processing of MIMIC-IV-ECG.
    """
    text = ". ".join(line for line in lines if line.strip())
    text = text.replace("EKG", "ECG").replace("ekg", "ecg")
    text = re.sub(r"\s+", " ", text.strip(" *").strip("-=").lower()).strip()
    return f"{text}." if text else ""


def _notices(joined: pd.DataFrame, min_words: int) -> tuple[str, ...]:
    is_absent = joined["report"].isna()
    is_short = ~is_absent & (_n_words(joined["report"]) < min_words)
    differs = ~is_absent & (joined["subject_id"] != joined["subject_id_measured"])
    counts = (
        (is_absent, "recordings without a row in machine_measurements.csv are left out"),
        (is_short, f"recordings with reports of fewer than {min_words} words are left out"),
        (differs, "recordings have another subject_id in machine_measurements.csv"),
    )
    return tuple(f"{int(mask.sum())} {text}" for mask, text in counts if bool(mask.any()))


def _n_words(reports: "pd.Series[str]") -> "pd.Series[int]":
    return reports.fillna("").map(lambda text: len(text.split()))
