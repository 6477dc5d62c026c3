"""CPSC2018: China Physiological Signal Challenge 2018, as PhysioNet and its makers publish it."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from knowledge_sources.label_sets import label_set
from merl_core.datasets.headers import broken_notice, read_headers
from merl_core.datasets.manifest import Manifest, read_table, split_by_patient
from merl_core.errors import MerlError

REFERENCE: Final = "REFERENCE.csv"
CODE_OF_NUMBER: Final = {
    1: "NORM", 2: "AFIB", 3: "1AVB", 4: "CLBBB", 5: "CRBBB", 6: "PAC", 7: "VPC", 8: "STD", 9: "STE",
}  # fmt: skip
"""Classes of `REFERENCE.csv`. Source: Liu et al. 2018, CPSC2018 (challenge page)."""
CODE_OF_SNOMED: Final = {
    "426783006": "NORM",
    "164889003": "AFIB",
    "270492004": "1AVB",
    "164909002": "CLBBB",
    "733534002": "CLBBB",
    "59118001": "CRBBB",
    "713427006": "CRBBB",
    "284470004": "PAC",
    "164884008": "VPC",
    "427172004": "VPC",
    "17338001": "VPC",
    "429622005": "STD",
    "164931005": "STE",
}
"""Source: dx_mapping of the PhysioNet Challenge 2021 (CPSC2018 writes its PVC as 164884008)."""
_SHARES: Final = (("test", 0.2), ("val", 0.08), ("train", 1.0))


def load_cpsc2018(folder: Path) -> Manifest:
    """Return the recordings of a folder, all nine classes, split by a hash of their names.

    Reads `REFERENCE.csv` where it is there (the challenge's own form), else the diagnoses in the
    headers (PhysioNet Challenge 2020 and 2021: `training/cpsc_2018/g1/A0001.hea`). The data set
    does not say who the recordings are of: each counts as a patient.

    Raises:
        MerlError: The folder holds no recording, or a row names an unknown class.
    """
    paths = index_recordings(folder)
    broken: list[str] = []
    if (folder / REFERENCE).is_file():
        codes = _read_reference(folder / REFERENCE)
    else:
        headers = read_headers([folder / path for path in paths.values()])
        broken = [name for name, header in zip(paths, headers, strict=True) if header is None]
        codes = {
            name: {CODE_OF_SNOMED[dx] for dx in header.diagnoses if dx in CODE_OF_SNOMED}
            for name, header in zip(paths, headers, strict=True)
            if header is not None
        }
    names = sorted(name for name in paths if codes.get(name))
    n_left_out = len(paths) - len(names) - len(broken)
    notice = f"{n_left_out} recordings without any of the nine classes are left out"
    return Manifest(
        paths=tuple(paths[name] for name in names),
        labels=_codes(),
        y_true=_one_hot([codes[name] for name in names]),
        patients=tuple(names),
        label_set="cpsc2018",
        record_ids=tuple(names),
        splits=split_by_patient(names, _SHARES, "cpsc2018"),
        notices=((notice,) if n_left_out else ()) + broken_notice(broken),
    )


def index_recordings(folder: Path) -> dict[str, str]:
    """Return the path of each recording below a folder by its name (`A0001`).

    Raises:
        MerlError: There is none.
    """
    found = sorted(folder.rglob("[AQ][0-9][0-9][0-9][0-9].hea"))
    found += sorted(
        path for path in folder.rglob("[AQ][0-9][0-9][0-9][0-9].mat")
        if not path.with_suffix(".hea").exists()
    )  # fmt: skip
    if not found:
        msg = f"{folder}: no recording of CPSC2018 (A0001.hea, A0001.mat) below it"
        raise MerlError(msg)
    return {path.stem: path.relative_to(folder).as_posix() for path in found}


def _codes() -> tuple[str, ...]:
    return tuple(label.code for label in label_set("cpsc2018").labels)


def _one_hot(codes: list[set[str]]) -> NDArray[np.float64]:
    return np.array([[float(c in one) for c in _codes()] for one in codes]).reshape(len(codes), -1)


def _read_reference(path: Path) -> dict[str, set[str]]:
    heads = ["Recording", "First_label", "Second_label", "Third_label"]
    table = read_table(path, heads)
    found: dict[str, set[str]] = {}
    for line, (name, *numbers) in enumerate(table[heads].itertuples(index=False), start=2):
        given = [number.strip() for number in numbers if number.strip()]
        wrong = [n for n in given if not n.isdigit() or int(n) not in CODE_OF_NUMBER]
        if wrong:
            msg = f"{path}, line {line}: class {wrong[0]!r}, expected a number from 1 to 9"
            raise MerlError(msg)
        found[name.strip()] = {CODE_OF_NUMBER[int(number)] for number in given}
    return found
