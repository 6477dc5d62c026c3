"""Manifest: one row a recording, one 0/1 column a class; what every data set is read into."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from knowledge_sources.label_sets import label_set
from merl_core.errors import MerlError

PATH_COLUMN: Final = "path"
PATIENT_COLUMN: Final = "patient_id"
_TEXT_COLUMNS: Final = {"record_id": "record_ids", "split": "splits", "report": "reports"}
_NOT_CLASSES: Final = frozenset(
    {"path", "patient_id", "ecg_id", "record_id", "age", "sex", "fold", "strat_fold", "split"}
    | {"source", "dataset", "device", "report", "site", "fs", "label", "labels"}
)


@dataclass(frozen=True, eq=False, slots=True)
class Manifest:
    """Recordings with their labels or reports. N recordings, C classes."""

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    """Class names as the columns are headed; codes where `label_set` names their set."""
    y_true: NDArray[np.float64]
    """Shape (N, C); 0, 1 or NaN where the cell is empty."""
    patients: tuple[str, ...]
    """Who each recording is of; the path itself where the manifest does not say."""
    ignored: tuple[str, ...] = ()
    """Columns that are neither classes nor known."""
    label_set: str = ""
    """Name of the benchmark label set that the labels are codes of; empty for others."""
    record_ids: tuple[str, ...] = ()
    """The data set's own numbers of recordings; empty where it gives none."""
    splits: tuple[str, ...] = ()
    """`train`, `val` or `test` of each recording; empty where nothing is split."""
    reports: tuple[str, ...] = ()
    """Cleaned report of each recording; empty where there are none."""
    notices: tuple[str, ...] = ()
    """What was left out, and why."""

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, rows: Sequence[int] | NDArray[Any]) -> "Manifest":
        """Return the recordings at some rows, in their order."""
        chosen = [int(row) for row in rows]
        per_row = ("paths", "patients", "record_ids", "splits", "reports")
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        for name in per_row:
            values[name] = tuple(values[name][i] for i in chosen) if values[name] else ()
        values["y_true"] = self.y_true[chosen]
        return Manifest(**values)

    def of_split(self, split: str) -> "Manifest":
        """Return the recordings of one split.

        Raises:
            MerlError: No recording is in it.
        """
        rows = [i for i, name in enumerate(self.splits) if name == split]
        if not rows:
            known = ", ".join(sorted(set(self.splits))) or "none"
            msg = f"no recording is in split {split!r}; there are: {known}"
            raise MerlError(msg)
        return self.select(rows)


def read_manifest(path: Path) -> Manifest:
    """Return the recordings and classes of a manifest.

    Columns such as `patient_id`, `age` or `source` are no classes; patients are drawn as a whole
    for intervals. `record_id`, `split` and `report` are kept as texts. Other columns hold 0, 1 or
    nothing; columns with other values are ignored.

    Raises:
        MerlError: The file cannot be read, has no column `path`, or holds no recording.
    """
    table = read_table(path, [PATH_COLUMN])
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
        record_ids=_texts(table, "record_id"),
        splits=_texts(table, "split"),
        reports=_texts(table, "report"),
    )


def as_codes(manifest: Manifest, name: str) -> Manifest:
    """Return a manifest whose column heads are codes of a label set.

    Raises:
        KnowledgeError: There is no such set, or a head is no code of it.
    """
    for head in manifest.labels:
        label_set(name).get(head.partition(":")[2] or head)
    return replace(manifest, label_set=name)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as CSV, so that a split or a set of labels can be published and read."""
    texts = {c: getattr(manifest, name) for c, name in _TEXT_COLUMNS.items()}
    texts = {column: values for column, values in texts.items() if values}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([PATH_COLUMN, PATIENT_COLUMN, *texts, *manifest.labels])
        for i, name in enumerate(manifest.paths):
            cells = ["" if np.isnan(v) else int(v) for v in manifest.y_true[i]]
            columns = [values[i] for values in texts.values()]
            writer.writerow([name, manifest.patients[i], *columns, *cells])


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return a CSV file's cells as texts, with at least the given columns.

    Raises:
        MerlError: The file cannot be read, is no CSV, or lacks a column.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except OSError as error:
        msg = f"table {str(path)!r} cannot be read: {error.strerror}"
        raise MerlError(msg) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        msg = f"table {str(path)!r} is not a CSV file: {error}"
        raise MerlError(msg) from error
    table.columns = [str(column).strip() for column in table.columns]
    missing = [column for column in columns if column not in table]
    if missing:
        found = ", ".join(map(repr, table.columns[:8]))
        msg = f"{path}: column {missing[0]!r} is missing, found {found}"
        raise MerlError(msg)
    return table


def split_by_patient(
    patients: Sequence[str], shares: Sequence[tuple[str, float]], salt: str
) -> tuple[str, ...]:
    """Return a split for each recording, the same for all recordings of a patient.

    The split follows from the patient's number alone, so it stays when recordings are added.

    Args:
        patients: Who each recording is of.
        shares: Splits with the share of patients in each; the last one takes the rest.
        salt: Of the hash; another salt, another split.
    """
    found: dict[str, str] = {}
    for patient in set(patients):
        digest = hashlib.sha256(f"{salt}:{patient}".encode()).digest()
        place = int.from_bytes(digest[:8]) / 2**64
        for name, share in shares:
            found[patient] = name
            place -= share
            if place < 0:
                break
    return tuple(found[patient] for patient in patients)


def _texts(table: pd.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(table[column]) if column in table else ()


def _binary(column: "pd.Series[str]") -> NDArray[np.float64] | None:
    values = pd.to_numeric(column.str.strip(), errors="coerce").to_numpy(np.float64)
    is_empty = (column.str.strip() == "").to_numpy()
    is_binary = np.isin(values, (0.0, 1.0)) | is_empty
    return values if bool(is_binary.all()) and not bool(is_empty.all()) else None
