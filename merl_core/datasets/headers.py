"""WFDB headers of PhysioNet data sets: rate, length, leads and the diagnoses in their comments."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from merl_core.errors import InvalidRecordError
from merl_core.records import canonical_lead

_N_THREADS: Final = 8
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a single-segment WFDB record says."""

    name: str
    fs: float
    sig_len: int
    leads: tuple[str, ...]
    files: tuple[str, ...]
    """Signal files, each named once."""
    units: tuple[str, ...]
    """One for each lead; `mV` where the header gives none, as the format rules."""
    diagnoses: tuple[str, ...]
    """Codes of the comment `Dx:`; SNOMED CT in the PhysioNet Challenge and in CSN."""


def read_headers(paths: Sequence[Path]) -> list[Header | None]:
    """Return many headers, read by several threads, in the order of the paths.

    None stands for one that is broken: CSN as published has two.
    """
    with ThreadPoolExecutor(_N_THREADS) as pool:
        return list(pool.map(_header_or_none, paths))


def broken_notice(names: Sequence[str]) -> tuple[str, ...]:
    """Return what a manifest says of recordings that are left out for their broken headers."""
    if not names:
        return ()
    listed = ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
    return (f"{len(names)} recordings with a broken header are left out: {listed}",)


def _header_or_none(path: Path) -> Header | None:
    try:
        return read_header(path)
    except InvalidRecordError:
        return None


def read_header(path: Path) -> Header:
    """Return what a `.hea` file says.

    Source: WFDB header format, header(5).

    Raises:
        InvalidRecordError: The file cannot be read or is no header.
    """
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        msg = f"header {str(path)!r} cannot be read: {error.strerror}"
        raise InvalidRecordError(msg) from error
    plain = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    try:
        name, n_leads, fs, sig_len, *_ = plain[0]
        signals = plain[1 : 1 + int(n_leads)]
        header = Header(
            name=name.partition("/")[0],
            fs=float(fs.partition("/")[0].partition("(")[0]),
            sig_len=int(sig_len),
            leads=tuple(canonical_lead(" ".join(row[8:])) for row in signals),
            files=tuple(dict.fromkeys(row[0] for row in signals)),
            units=tuple((row[2].partition("/")[2] or "mV") for row in signals),
            diagnoses=_diagnoses(lines),
        )
    except (ValueError, IndexError) as error:
        msg = f"{path}: not the header of a WFDB record ({error})"
        raise InvalidRecordError(msg) from error
    if len(header.leads) != int(n_leads):
        msg = f"{path}: {n_leads} signals announced, {len(header.leads)} described"
        raise InvalidRecordError(msg)
    return header


def _diagnoses(lines: Sequence[str]) -> tuple[str, ...]:
    for line in lines:
        key, _, value = line.lstrip("# ").partition(":")
        if line.startswith("#") and key.strip().lower() == "dx":
            return tuple(code.strip() for code in value.split(",") if code.strip())
    return ()
