"""The four benchmark label sets of PTB-XL, made from its published tables."""

import ast
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd

from knowledge_sources.label_sets import label_set
from merl_core.datasets.manifest import Manifest, read_table
from merl_core.datasets.ptbxl import DATABASE, HELD_OUT_FOLD
from merl_core.errors import MerlError

STATEMENTS: Final = "scp_statements.csv"
VALIDATION_FOLD: Final = 9
LABEL_SETS: Final = ("ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm")


def load_ptbxl_labels(folder: Path, name: str, *, fs: Literal[100, 500] = 500) -> Manifest:
    """Return the recordings that carry a statement of a label set, split by the published folds.

    Folds 1 to 8 are `train`, 9 is `val`, 10 is `test`; no patient is in two folds. Every
    statement counts, whatever its likelihood, as in the published benchmark.

    Source: Wagner et al. 2020 (PTB-XL); Strodthoff et al. 2021 (label sets).

    Args:
        folder: As published: `ptbxl_database.csv`, `scp_statements.csv`, `records500/`.
        name: `ptbxl_super`, `ptbxl_sub`, `ptbxl_form` or `ptbxl_rhythm`.
        fs: Of the recordings.

    Raises:
        MerlError: The set is unknown, or a table is absent, lacks a column or has a broken row.
    """
    if name not in LABEL_SETS:
        msg = f"no label set {name!r} of PTB-XL, expected one of {', '.join(LABEL_SETS)}"
        raise MerlError(msg)
    column = "filename_hr" if fs == 500 else "filename_lr"
    heads = ["ecg_id", "patient_id", "strat_fold", "scp_codes", "report", column]
    table = read_table(folder / DATABASE, heads)
    meaning = _label_of_code(folder / STATEMENTS, name)
    shown = [
        {meaning[code] for code in _codes(text, folder / DATABASE, line) if code in meaning}
        for line, text in enumerate(table["scp_codes"], start=2)
    ]
    splits = _splits(table["strat_fold"], folder / DATABASE)
    rows = [i for i, one in enumerate(shown) if one]
    labels = tuple(label.code for label in label_set(name).labels)
    known = set(labels)
    other = sorted({label for one in shown for label in one} - known)
    table = table.iloc[rows]
    return Manifest(
        paths=tuple(f"{stem}.hea" for stem in table[column]),
        labels=labels,
        y_true=np.array([[float(c in shown[i]) for c in labels] for i in rows]).reshape(
            len(rows), -1
        ),
        patients=tuple(text.removesuffix(".0") for text in table["patient_id"]),
        label_set=name,
        record_ids=tuple(table["ecg_id"]),
        splits=tuple(splits[i] for i in rows),
        reports=tuple(table["report"]),
        notices=(f"statements outside the benchmark are left out: {', '.join(other)}",)
        if other
        else (),
    )


def _splits(folds: "pd.Series[str]", path: Path) -> list[str]:
    numbers = pd.to_numeric(folds, errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isin(numbers, range(1, HELD_OUT_FOLD + 1)))
    if wrong.size:
        line, found = int(wrong[0]) + 2, folds.iloc[int(wrong[0])]
        msg = f"{path}, line {line}: strat_fold {found!r}, expected 1 to {HELD_OUT_FOLD}"
        raise MerlError(msg)
    special = {HELD_OUT_FOLD: "test", VALIDATION_FOLD: "val"}
    return [special.get(int(number), "train") for number in numbers]


def _label_of_code(path: Path, name: str) -> dict[str, str]:
    """Return the class that each SCP code counts for; padding underscores are taken off."""
    kind = {"ptbxl_form": "form", "ptbxl_rhythm": "rhythm"}.get(name, "diagnostic")
    column = {"ptbxl_super": "diagnostic_class", "ptbxl_sub": "diagnostic_subclass"}.get(name)
    table = read_table(path, [kind, *([column] if column else [])])
    code_column = str(table.columns[0])
    table = table[table[kind].isin(("1", "1.0"))]
    labels = table[column] if column else table[code_column]
    return {code: label.strip("_") for code, label in zip(table[code_column], labels, strict=True)}


def _codes(text: str, path: Path, line: int) -> list[str]:
    try:
        codes = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        codes = None
    if not isinstance(codes, dict):
        msg = f"{path}, line {line}: scp_codes {text[:40]!r} is not a dictionary"
        raise MerlError(msg)
    return [str(code) for code in codes]
