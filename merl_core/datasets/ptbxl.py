"""PTB-XL as published on PhysioNet, and a z-scored excerpt of it with its limb-lead scales."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.preprocess import bandpass
from merl_core.records import STANDARD_LEADS

DATABASE: Final = "ptbxl_database.csv"
REPORTS: Final = "reports_without_waveforms_too.csv"
ZSCORED_TABLE: Final = "ptbxl_zscored_100hz.csv"
ZSCORED_SIGNALS: Final = "ptbxl_zscored_100hz.npz"
HELD_OUT_FOLD: Final = 10
"""Test fold of the published split: never loaded unless it is asked for by number."""
FS: Final = 100.0
SIG_LEN: Final = 1000
_BYTES_PER_SAMPLE: Final = 2
_UNITS_PER_MV: Final = 1000.0
_LIMB: Final = STANDARD_LEADS[:6]
_LIMB_MV: Final = 0.119
_CHEST_MV: Final = (0.167, 0.270, 0.259, 0.243, 0.220, 0.185)
"""Mean standard deviations of limb and chest leads of PTB-XL after the filter, measured."""


@dataclass(frozen=True, eq=False, slots=True)
class PtbXl:
    """Recordings at 100 Hz with their statements, one entry a recording in every field."""

    signals: NDArray[np.float32]
    """Shape (N, 12, 1000), millivolts; 0.5 to 40 Hz."""
    ecg_ids: NDArray[np.int64]
    patient_ids: NDArray[np.int64]
    folds: NDArray[np.int64]
    scp_codes: tuple[frozenset[str], ...]
    """All codes of a recording; form and rhythm statements carry no likelihood."""
    superclasses: tuple[frozenset[str], ...]
    subclasses: tuple[frozenset[str], ...]
    forms: tuple[frozenset[str], ...]
    rhythms: tuple[frozenset[str], ...]
    reports: tuple[str, ...]
    axes: tuple[str, ...]
    """`heart_axis` of the table (`LAD`, `MID`, `RAD`, ...); empty where unknown."""
    has_voltage: NDArray[np.bool_]
    """False where the z-scored source has lost the leads' absolute voltage."""

    def __len__(self) -> int:
        return len(self.ecg_ids)

    def select(self, mask: NDArray[np.bool_]) -> "PtbXl":
        """Return the recordings where `mask`, of shape (N,), is True."""
        rows = np.flatnonzero(mask)
        fields: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            is_array = isinstance(value, np.ndarray)
            fields[name] = value[rows] if is_array else tuple(value[i] for i in rows)
        return PtbXl(**fields)


def load_ptbxl(folder: Path, folds: Iterable[int] = range(1, 10)) -> PtbXl:
    """Return the recordings of the given folds at 100 Hz, filtered to 0.5 to 40 Hz.

    Args:
        folder: As published: `ptbxl_database.csv` and `records100/`.
        folds: Values of `strat_fold`.

    Raises:
        InvalidRecordError: The table or a recording is absent or broken.
    """
    table = _read_table(folder / DATABASE, ["ecg_id", "strat_fold", "scp_codes", "filename_lr"])
    table = table[table["strat_fold"].isin(list(folds))]
    signals = np.empty((len(table), len(STANDARD_LEADS), SIG_LEN), dtype=np.float32)
    for row, name in zip(signals, table["filename_lr"], strict=True):
        row[:] = _read_signal(folder / f"{name}.dat")
    return _assemble(table, bandpass(signals, FS), has_voltage=True)


def load_ptbxl_reports(folder: Path, folds: Iterable[int] = range(1, 10)) -> PtbXl:
    """Return reports with their codes and no signals: of shape (N, 12, 0).

    Args:
        folder: With `reports_without_waveforms_too.csv`, or `ptbxl_database.csv` as published.
        folds: Values of `strat_fold`.

    Raises:
        InvalidRecordError: The table is absent or broken.
    """
    path = folder / REPORTS
    columns = ["ecg_id", "patient_id", "strat_fold", "scp_codes", "report"]
    table = _read_table(path if path.is_file() else folder / DATABASE, columns)
    table = table[table["strat_fold"].isin(list(folds)) & table["report"].notna()]
    signals = np.empty((len(table), len(STANDARD_LEADS), 0), dtype=np.float32)
    return _assemble(table, signals, has_voltage=True)


def load_ptbxl_zscored(folder: Path, folds: Iterable[int] = range(1, 10)) -> PtbXl:
    """Return the z-scored recordings, the limb leads' proportions restored.

    The limb leads are brought to their true ratio, the chest leads to the usual one, and all to
    the mean voltage of PTB-XL. Absolute voltages stay unknown.

    Args:
        folder: `ptbxl_zscored_100hz.csv` and `ptbxl_zscored_100hz.npz`.
        folds: Values of `strat_fold`.

    Raises:
        InvalidRecordError: A file is absent or broken.
    """
    scales = [f"scale_{lead}" for lead in _LIMB]
    table = _read_table(folder / ZSCORED_TABLE, ["ecg_id", "strat_fold", "scp_codes", *scales])
    try:
        with np.load(folder / ZSCORED_SIGNALS) as stored:
            raw, ids = stored["signal"], stored["ecg_id"]
    except (OSError, KeyError, ValueError) as error:
        msg = f"{folder / ZSCORED_SIGNALS}: expected arrays 'signal' and 'ecg_id' ({error})"
        raise InvalidRecordError(msg) from error
    row_of = {int(ecg_id): i for i, ecg_id in enumerate(ids)}
    table = table[table["strat_fold"].isin(list(folds)) & table["ecg_id"].isin(row_of)]
    rows = [row_of[int(ecg_id)] for ecg_id in table["ecg_id"]]
    signals = raw[rows].astype(np.float32) / 1000
    limb = table[scales].to_numpy(np.float32)
    limb *= _LIMB_MV / limb.mean(axis=1, keepdims=True)
    chest = np.broadcast_to(np.array(_CHEST_MV, dtype=np.float32), (len(table), len(_CHEST_MV)))
    signals *= np.concatenate([limb, chest], axis=1)[:, :, None]
    return _assemble(table, signals, has_voltage=False)


def concatenate(parts: Sequence[PtbXl]) -> PtbXl:
    """Return several sets as one."""
    fields: dict[str, Any] = {}
    for name in PtbXl.__slots__:
        values = [getattr(part, name) for part in parts]
        is_array = isinstance(values[0], np.ndarray)
        fields[name] = np.concatenate(values) if is_array else tuple(v for p in values for v in p)
    return PtbXl(**fields)


def _assemble(table: pd.DataFrame, signals: NDArray[np.float32], *, has_voltage: bool) -> PtbXl:
    codes = tuple(frozenset(ast.literal_eval(text)) for text in table["scp_codes"])
    axis = table["heart_axis"] if "heart_axis" in table else pd.Series("", index=table.index)
    return PtbXl(
        signals=signals,
        ecg_ids=table["ecg_id"].to_numpy(np.int64),
        patient_ids=table["patient_id"].to_numpy(np.float64).astype(np.int64),
        folds=table["strat_fold"].to_numpy(np.int64),
        scp_codes=codes,
        superclasses=_split(table, "super_class"),
        subclasses=_split(table, "sub_class"),
        forms=_split(table, "form"),
        rhythms=_split(table, "rhythm"),
        reports=tuple(_texts(table["report"])),
        axes=tuple(_texts(axis)),
        has_voltage=np.full(len(table), has_voltage),
    )


def _texts(column: pd.Series) -> "pd.Series[str]":
    return column.astype(object).fillna("").astype(str)


def _split(table: pd.DataFrame, column: str) -> tuple[frozenset[str], ...]:
    texts = _texts(table[column]) if column in table else [""] * len(table)
    return tuple(frozenset(filter(None, text.split("|"))) for text in texts)


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except OSError as error:
        msg = f"data set table {str(path)!r} cannot be read: {error.strerror}"
        raise InvalidRecordError(msg) from error
    missing = [column for column in columns if column not in table]
    if missing:
        msg = f"{path}: column {missing[0]!r} is missing"
        raise InvalidRecordError(msg)
    return table


def _read_signal(path: Path) -> NDArray[np.float32]:
    """Read a recording in WFDB format 16, 1000 units a millivolt: what PTB-XL consists of."""
    try:
        raw = np.fromfile(path, dtype="<i2")
    except OSError as error:
        msg = f"recording {str(path)!r} cannot be read: {error.strerror}"
        raise InvalidRecordError(msg) from error
    n_leads = len(STANDARD_LEADS)
    if raw.size != n_leads * SIG_LEN:
        expected = n_leads * SIG_LEN * _BYTES_PER_SAMPLE
        msg = f"{path}: {raw.nbytes} bytes, expected {expected}"
        raise InvalidRecordError(msg)
    signal: NDArray[np.float32] = raw.reshape(SIG_LEN, n_leads).T.astype(np.float32)
    return signal / _UNITS_PER_MV
