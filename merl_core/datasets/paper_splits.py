"""The paper's split files of the six benchmark label sets, and the recordings that they name."""

from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from knowledge_sources.label_sets import label_set
from merl_core.datasets.cpsc2018 import index_recordings
from merl_core.datasets.csn import exact_labels
from merl_core.datasets.manifest import Manifest, read_table
from merl_core.errors import MerlError

SPLITS: Final = ("train", "val", "test")
FILES: Final = {
    "ptbxl_super": "ptbxl/super_class/ptbxl_super_class_{}.csv",
    "ptbxl_sub": "ptbxl/sub_class/ptbxl_sub_class_{}.csv",
    "ptbxl_form": "ptbxl/form/ptbxl_form_{}.csv",
    "ptbxl_rhythm": "ptbxl/rhythm/ptbxl_rhythm_{}.csv",
    "cpsc2018": "icbeb/icbeb_{}.csv",
    "csn": "chapman/chapman_{}.csv",
}
"""Split files below `finetune/data_split`. Source: public code of MERL (MIT)."""
_BELOW: Final = ("finetune/data_split", "data_split", ".")

CsnLabels = Literal["merl", "exact"]


def load_paper_split(
    name: str,
    split: str,
    splits_folder: Path,
    data_folder: Path | None = None,
    *,
    labels: CsnLabels = "merl",
    fs: Literal[100, 500] = 500,
) -> Manifest:
    """Return the recordings and labels of one of the paper's split files.

    Args:
        name: Label set: one of `FILES`.
        split: `train`, `val` or `test`.
        splits_folder: Folder of the split files, or one above (`finetune/data_split`).
        data_folder: The data set; needed for CPSC2018 alone, whose files say no folder.
        labels: Of CSN: `merl` as the file has them, made by comparing parts of words, or `exact`
            by whole words of its column `diagnose`.
        fs: Of PTB-XL's recordings.

    Raises:
        MerlError: The set or split is unknown, a file or column is absent, or a recording of
            CPSC2018 is not in the data folder.
    """
    path = _find(name, split, splits_folder)
    codes = tuple(label.code for label in label_set(name).labels)
    if name == "csn":
        table = read_table(path, ["ecg_path", "diagnose", *codes])
        paths = [_csn_path(text) for text in table["ecg_path"]]
        record_ids = [Path(text).stem for text in paths]
        patients = record_ids
    elif name == "cpsc2018":
        table = read_table(path, ["patient_id", "ecg_id", "filename", *codes])
        record_ids = list(table["filename"])
        paths = _cpsc_paths(table, data_folder)
        patients = list(table["patient_id"])
    else:
        column = "filename_hr" if fs == 500 else "filename_lr"
        table = read_table(path, ["ecg_id", "patient_id", column, *codes])
        paths = [f"{stem}.hea" for stem in table[column]]
        record_ids = list(table["ecg_id"])
        patients = [text.removesuffix(".0") for text in table["patient_id"]]
    if name == "csn" and labels == "exact":
        y_true = exact_labels([_tokens(text) for text in table["diagnose"]])
    else:
        y_true = _zero_one(table, codes, path)
    return Manifest(
        paths=tuple(paths),
        labels=codes,
        y_true=y_true,
        patients=tuple(patients),
        label_set=name,
        record_ids=tuple(record_ids),
        splits=(split,) * len(table),
        notices=_empty_classes(codes, y_true, f"{name} {split}"),
    )


def _find(name: str, split: str, folder: Path) -> Path:
    if name not in FILES:
        msg = f"no split files of {name!r}, expected one of {', '.join(FILES)}"
        raise MerlError(msg)
    if split not in SPLITS:
        msg = f"split {split!r}, expected one of {', '.join(SPLITS)}"
        raise MerlError(msg)
    file = FILES[name].format(split)
    for below in _BELOW:
        if (folder / below / file).is_file():
            return folder / below / file
    msg = f"{folder}: split file {file!r} is not below it"
    raise MerlError(msg)


def _csn_path(text: str) -> str:
    """Return `WFDBRecords/18/186/JS18048.hea` for `/chapman/WFDBRecords/18/186/JS18048.mat`."""
    return text.lstrip("/").removeprefix("chapman/").removesuffix(".mat") + ".hea"


def _cpsc_paths(table: pd.DataFrame, folder: Path | None) -> list[str]:
    """Return paths below the data folder; the numbered copies of an older benchmark are known."""
    if folder is None:
        return [f"{name}.hea" for name in table["filename"]]
    numbered = [f"records500/{number}.hea" for number in table["ecg_id"]]
    if numbered and (folder / numbered[0]).is_file():
        return numbered
    known = index_recordings(folder)
    absent = [name for name in table["filename"] if name not in known]
    if absent:
        msg = f"{folder}: recording {absent[0]!r} of the split file is not below it"
        msg += f" ({len(absent)} of {len(table)} are absent)"
        raise MerlError(msg)
    return [known[name] for name in table["filename"]]


def _tokens(diagnose: str) -> set[str]:
    return {token.strip() for token in diagnose.split(",") if token.strip()}


def _zero_one(table: pd.DataFrame, codes: tuple[str, ...], path: Path) -> NDArray[np.float64]:
    columns = []
    for code in codes:
        is_one, is_zero = table[code] == "1", table[code] == "0"
        wrong = np.flatnonzero(~(is_one | is_zero))
        if wrong.size:
            line = int(wrong[0]) + 2
            msg = (
                f"{path}, line {line}, column {code!r}: {table[code].iloc[line - 2]!r}, not 0 or 1"
            )
            raise MerlError(msg)
        columns.append(is_one.to_numpy(np.float64))
    return np.stack(columns, axis=1)


def _empty_classes(
    codes: tuple[str, ...], y_true: NDArray[np.float64], where: str
) -> tuple[str, ...]:
    empty = [code for code, n in zip(codes, y_true.sum(axis=0), strict=True) if n == 0]
    return (f"{where}: no positive recording of {', '.join(empty)}",) if empty else ()
