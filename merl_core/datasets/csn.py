"""CSN: Chapman-Shaoxing-Ningbo ("ecg-arrhythmia") as published on PhysioNet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from knowledge_sources.label_sets import label_set
from merl_core.datasets.headers import broken_notice, read_headers
from merl_core.datasets.manifest import Manifest, read_table, split_by_patient
from merl_core.errors import MerlError

RECORDS: Final = "WFDBRecords"
CONDITIONS: Final = "ConditionNames_SNOMED-CT.csv"
_HEADS: Final = (("AcronymName", "Snomed_CT"), ("Acronym Name", "Snomed_CT"))
_SHARES: Final = (("test", 0.2), ("val", 0.08), ("train", 1.0))


def load_csn(folder: Path) -> Manifest:
    """Return the recordings of a folder with exact labels, split by a hash of their names.

    Labels are the diagnoses of each header, turned into acronyms by the data set's own table.
    Each recording is of another patient, as the data set says. Recordings with a broken header,
    two of those on PhysioNet (JS01052, JS23074), are left out and named in the notices.

    Source: Zheng et al. 2020, doi:10.13026/wgex-er52.

    Raises:
        MerlError: The folder holds no recording with a sound header, or the table of conditions
            is absent.
    """
    acronyms = read_conditions(folder / CONDITIONS)
    paths = sorted((folder / RECORDS).rglob("JS*.hea"))
    if not paths:
        msg = f"{folder}: no recording (WFDBRecords/01/010/JS00001.hea) below it"
        raise MerlError(msg)
    found = list(zip(paths, read_headers(paths), strict=True))
    broken = [path.stem for path, header in found if header is None]
    read = [(path, header) for path, header in found if header is not None]
    if not read:
        msg = f"{folder}: the header of every recording is broken, the first: {paths[0].name}"
        raise MerlError(msg)
    paths, headers = [path for path, _ in read], [header for _, header in read]
    unknown = {dx for header in headers for dx in header.diagnoses} - acronyms.keys()
    names = [path.stem for path in paths]
    tokens = [{acronyms[dx] for dx in h.diagnoses if dx in acronyms} for h in headers]
    notice = f"{len(unknown)} SNOMED CT codes are not in {CONDITIONS}: {', '.join(sorted(unknown))}"
    return Manifest(
        paths=tuple(path.relative_to(folder).as_posix() for path in paths),
        labels=csn_codes(),
        y_true=exact_labels(tokens),
        patients=tuple(names),
        label_set="csn",
        record_ids=tuple(names),
        splits=split_by_patient(names, _SHARES, "csn"),
        notices=((notice,) if unknown else ()) + broken_notice(broken),
    )


def read_conditions(path: Path) -> dict[str, str]:
    """Return acronyms by SNOMED CT code; both spellings of the table's head are known.

    The table gives one code to several of its names (164865005 to MI and to infarctions of four
    walls, 164909002 to LBBB and to two of its parts): a header says no more than the first, the
    general one, and so have the paper's files it.

    Raises:
        MerlError: The table is absent or has other columns.
    """
    table = read_table(path, [])
    for acronym, code in _HEADS:
        if acronym in table and code in table:
            found: dict[str, str] = {}
            for number, name in zip(table[code], table[acronym], strict=True):
                found.setdefault(number.strip(), name.strip())
            return found
    msg = f"{path}: columns {_HEADS[0][0]!r} and {_HEADS[0][1]!r} are missing"
    raise MerlError(msg)


def csn_codes() -> tuple[str, ...]:
    """Return the 38 codes of the benchmark, in its order."""
    return tuple(label.code for label in label_set("csn").labels)


def exact_labels(tokens: Sequence[set[str]]) -> NDArray[np.float64]:
    """Return labels of shape (N, 38) from each recording's acronyms, compared whole.

    The benchmark's files compare parts of words instead, so that `AF` is found in `AFIB`, and
    `AVB` in `1AVB`; see `labels="merl"` of `paper_splits`.
    """
    return np.array([[float(code in one) for code in csn_codes()] for one in tokens]).reshape(
        len(tokens), -1
    )
