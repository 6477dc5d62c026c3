"""The data sets that are known by name: where they are published, and how they are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from merl_core.datasets.cpsc2018 import load_cpsc2018
from merl_core.datasets.csn import load_csn
from merl_core.datasets.manifest import Manifest, read_manifest
from merl_core.datasets.mimic_iv_ecg import load_mimic_iv_ecg
from merl_core.datasets.paper_splits import CsnLabels, load_paper_split
from merl_core.datasets.ptbxl_labels import LABEL_SETS as PTBXL_SETS
from merl_core.datasets.ptbxl_labels import load_ptbxl_labels
from merl_core.errors import MerlError


@dataclass(frozen=True, slots=True)
class Publication:
    """Where a data set is published."""

    name: str
    title: str
    slug: str
    """Project and version on PhysioNet: `ptb-xl/1.0.3`."""
    doi: str
    licence: str
    below: str = ""
    """Folder of the project that the data set is in; empty for all of it."""


PUBLICATIONS: Final = {
    item.name: item
    for item in (
        Publication(
            "mimic-iv-ecg",
            "MIMIC-IV-ECG: Diagnostic Electrocardiogram Matched Subset",
            "mimic-iv-ecg/1.0",
            "10.13026/4nqg-sb35",
            "Open Data Commons Open Database License v1.0",
        ),
        Publication(
            "ptb-xl",
            "PTB-XL, a large publicly available electrocardiography dataset",
            "ptb-xl/1.0.3",
            "10.13026/kfzx-aw45",
            "Creative Commons Attribution 4.0",
        ),
        Publication(
            "cpsc2018",
            "CPSC2018, within the PhysioNet/Computing in Cardiology Challenge 2021",
            "challenge-2021/1.0.3",
            "10.13026/34va-7q14",
            "Creative Commons Attribution 4.0",
            below="training/cpsc_2018/",
        ),
        Publication(
            "csn",
            "A large scale 12-lead electrocardiogram database for arrhythmia study",
            "ecg-arrhythmia/1.0.0",
            "10.13026/wgex-er52",
            "Creative Commons Attribution 4.0",
        ),
    )
}
"""Data sets by name. Source: their pages on PhysioNet."""
NAMES: Final = ("mimic-iv-ecg", *PTBXL_SETS, "cpsc2018", "csn", "manifest")
"""What `load_dataset` reads: PTB-XL by one of its four label sets."""


def find_publication(name: str) -> Publication:
    """Return where a data set is published.

    Raises:
        MerlError: The name is unknown.
    """
    try:
        return PUBLICATIONS[name]
    except KeyError:
        msg = f"unknown data set {name!r}, expected one of {', '.join(PUBLICATIONS)}"
        raise MerlError(msg) from None


def load_dataset(
    name: str,
    folder: Path,
    *,
    splits_folder: Path | None = None,
    split: str | None = None,
    labels: CsnLabels = "exact",
    fs: Literal[100, 500] = 500,
) -> Manifest:
    """Return a data set's recordings, labels, reports and splits.

    Args:
        name: One of `NAMES`.
        folder: The data set as published; for `manifest` the CSV file itself.
        splits_folder: The paper's split files; None for the data set's own, or ours by patient.
        split: Only this split; with the paper's files it must be named.
        labels: Of CSN in the paper's files, `merl` or `exact`; without them always exact.
        fs: Of PTB-XL's recordings.

    Raises:
        MerlError: The name is unknown, or something is absent or broken; see each data set.
    """
    if name not in NAMES:
        msg = f"unknown data set {name!r}, expected one of {', '.join(NAMES)}"
        raise MerlError(msg)
    if splits_folder is not None:
        if split is None:
            msg = "the paper's split files are one for each split: name train, val or test"
            raise MerlError(msg)
        return load_paper_split(name, split, splits_folder, folder, labels=labels, fs=fs)
    if labels == "merl" and name == "csn":
        msg = "labels 'merl' of csn exist in the paper's split files only: name their folder"
        raise MerlError(msg)
    found = _read(name, folder, fs)
    return found if split is None else found.of_split(split)


def _read(name: str, folder: Path, fs: Literal[100, 500]) -> Manifest:
    if name in PTBXL_SETS:
        return load_ptbxl_labels(folder, name, fs=fs)
    if name == "mimic-iv-ecg":
        return load_mimic_iv_ecg(folder)
    if name == "cpsc2018":
        return load_cpsc2018(folder)
    if name == "csn":
        return load_csn(folder)
    return read_manifest(folder)
