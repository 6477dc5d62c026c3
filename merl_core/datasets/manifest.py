"""Manifest CSV: one row a recording, one 0/1 column a class."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merl_core.errors import MerlError

PATH_COLUMN: Final = "path"
PATIENT_COLUMN: Final = "patient_id"
_NOT_CLASSES: Final = frozenset(
    {"path", "patient_id", "ecg_id", "record_id", "age", "sex", "fold", "strat_fold", "split"}
    | {"source", "dataset", "device", "report", "site", "fs", "label", "labels"}
)


@dataclass(frozen=True, eq=False, slots=True)
class Manifest:
    """Recordings with their labels. N recordings, C classes."""

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    """Class names as the columns are headed."""
    y_true: NDArray[np.float64]
    """Shape (N, C); 0, 1 or NaN where the cell is empty."""
    patients: tuple[str, ...]
    """Who each recording is of; the path itself where the manifest does not say."""
    ignored: tuple[str, ...] = ()
    """Columns that are neither classes nor known."""


def read_manifest(path: Path) -> Manifest:
    """Return the recordings and classes of a manifest.

    Columns such as `patient_id`, `age` or `source` are no classes; patients are drawn as a whole
    for intervals. Other columns hold 0, 1 or nothing; columns with other values are ignored.

    Raises:
        MerlError: The file cannot be read, has no column `path`, or holds no recording.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except OSError as error:
        msg = f"manifest {str(path)!r} cannot be read: {error.strerror}"
        raise MerlError(msg) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        msg = f"manifest {str(path)!r} is not a CSV file: {error}"
        raise MerlError(msg) from error
    table.columns = [str(column).strip() for column in table.columns]
    if PATH_COLUMN not in table:
        found = ", ".join(map(repr, table.columns[:8]))
        msg = f"{path}: column 'path' is missing, found {found}"
        raise MerlError(msg)
    if table.empty:
        msg = f"{path}: no recordings"
        raise MerlError(msg)
    candidates = [column for column in table.columns if column.lower() not in _NOT_CLASSES]
    columns = {column: _binary(table[column]) for column in candidates}
    labels = [column for column, values in columns.items() if values is not None]
    known = [values for values in columns.values() if values is not None]
    patients = table[PATIENT_COLUMN] if PATIENT_COLUMN in table else table[PATH_COLUMN]
    return Manifest(
        paths=tuple(table[PATH_COLUMN]),
        labels=tuple(labels),
        y_true=np.stack(known, axis=1) if known else np.zeros((len(table), 0)),
        patients=tuple(patients),
        ignored=tuple(column for column in candidates if columns[column] is None),
    )


def _binary(column: "pd.Series[str]") -> NDArray[np.float64] | None:
    values = pd.to_numeric(column.str.strip(), errors="coerce").to_numpy(np.float64)
    is_empty = (column.str.strip() == "").to_numpy()
    is_binary = np.isin(values, (0.0, 1.0)) | is_empty
    return values if bool(is_binary.all()) and not bool(is_empty.all()) else None
