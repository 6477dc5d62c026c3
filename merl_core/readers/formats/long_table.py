"""Tables with a row for each lead and time, in text: columns lead, value, and time perhaps."""

import io
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, check_count
from merl_core.readers.lead_codes import known_lead
from merl_core.readers.registry import Format
from merl_core.readers.tables import Table, table_to_record
from merl_core.readers.text_layout import is_text, split
from merl_core.readers.upload import Part
from merl_core.records import Record

_LEAD = re.compile(r"leads?|lead[ _]?name|channel|signal|ableitung|derivaci[oó]n", re.IGNORECASE)
_VALUE = re.compile(
    r"(?:value|voltage|amplitude|wert|valor|ecg|ekg|sample_value|potential)(?P<rest>.*)"
    r"|(?P<bare>[mµμun]v)",
    re.IGNORECASE,
)
_TIME = re.compile(r"(?:time|t|zeit|tiempo|sample|index|elapsed|timestamp)\b.*|time_.*", re.I)
_MAX_COLUMNS = 8
_SNIFFED_LINES = 30


def _recognises(part: Part) -> bool:
    if not is_text(part.head):
        return False
    lines = [line for line in _head(part).splitlines()[:_SNIFFED_LINES] if line.strip()]
    part.found["long"] = next((d for d in ("\t", ";", ",", "|") if _columns(lines, d)), None)
    return part.found["long"] is not None


def _head(part: Part) -> str:
    return Part(part.name, part.head).text


def _columns(lines: Sequence[str], delimiter: str) -> tuple[int, int, int | None] | None:
    """Return the places of lead, value and time, None if the lines are no such table."""
    if len(lines) < 3:
        return None
    header = [cell.strip(" \"'\ufeff") for cell in split(lines[0], delimiter)]
    cells = [cell.strip(" \"'") for cell in split(lines[1], delimiter)]
    places = long_columns(header)
    if places is None or len(cells) != len(header) or not known_lead(cells[places[0]]):
        return None
    return places


def long_columns(names: Sequence[str]) -> tuple[int, int, int | None] | None:
    """Return the places of lead, value and time among column names, None without the first two."""
    if not 2 <= len(names) <= _MAX_COLUMNS:
        return None
    leads = [i for i, name in enumerate(names) if _LEAD.fullmatch(name)]
    values = [i for i, name in enumerate(names) if _VALUE.fullmatch(name)]
    times = [i for i, name in enumerate(names) if _TIME.fullmatch(name)]
    if len(leads) != 1 or len(values) != 1:
        return None
    return leads[0], values[0], times[0] if times else None


def _read(part: Part) -> Record:
    findings = Findings()
    delimiter = part.found["long"]
    text = part.text
    header = [cell.strip(" \"'\ufeff") for cell in split(text.split("\n", 1)[0], delimiter)]
    places = long_columns(header)
    assert places is not None
    check_count(len(header) * (text.count("\n") + 1))
    frame = pd.read_csv(
        io.StringIO(text), sep=delimiter, header=0, names=header, index_col=False,
        decimal="," if delimiter == ";" and "." not in text[:2000] else ".",
        skipinitialspace=True, low_memory=False,
    )  # fmt: skip
    lead, value, time = (None if place is None else frame.iloc[:, place] for place in places)
    assert lead is not None
    assert value is not None
    return record_of_rows(lead, value, time, "long_table", findings, hint=part.name)


def record_of_rows(
    lead: "pd.Series[str]",
    value: "pd.Series[float]",
    time: "pd.Series[float] | None",
    format_name: str,
    findings: Findings,
    hint: str = "",
) -> Record:
    """Return the recording of a table with one row for each lead and time.

    Args:
        lead: Names of the leads; other signals are left out.
        value: Voltages; the column's name may hold the unit.
        time: Times or sample numbers, None if rows are in the order of time.
        format_name: For `Record.format`.
        findings: Warnings so far.
        hint: The file's name.

    Raises:
        InvalidRecordError: The leads do not share their times, or as `table_to_record`.
    """
    names = [name for name in dict.fromkeys(lead.astype(str)) if known_lead(name)]
    left_out = sorted(set(lead.astype(str)) - set(names))
    if left_out:
        findings.warn("signals_left_out", f"rows left out: {', '.join(left_out)[:200]}")
    rows = [np.flatnonzero(lead.astype(str) == name) for name in names]
    values = pd.to_numeric(value, errors="coerce").to_numpy(np.float64)
    times = None if time is None else pd.to_numeric(time, errors="coerce").to_numpy(np.float64)
    if times is not None:
        rows = [place[np.argsort(times[place], kind="stable")] for place in rows]
    if len({len(place) for place in rows}) != 1 or not _share_times(rows, times):
        counts = {name: len(place) for name, place in zip(names, rows, strict=True)}
        msg = f"the leads of the table differ in their times; samples of each: {counts}"
        raise InvalidRecordError(msg)
    columns = [values[place] for place in rows]
    if times is not None and time is not None:
        columns.insert(0, times[rows[0]])
        names = [str(time.name), *names]
    table = Table(np.stack(columns, axis=1), names, None, _unit(str(value.name)))
    return table_to_record(table, format_name, findings, hint=hint)


def _share_times(rows: Sequence[NDArray[np.intp]], times: NDArray[np.float64] | None) -> bool:
    if times is None:
        return True
    first = times[rows[0]]
    is_rising = bool(np.all(np.diff(first) > 0))
    return is_rising and all(np.array_equal(times[place], first) for place in rows[1:])


def _unit(name: str) -> str:
    """Return the unit that a column's name ends with, an empty string if it names none."""
    found = re.search(r"(?<![a-z])([mµμun]?v)[\])]?$", name.strip(), re.IGNORECASE)
    return found[1] if found else ""


FORMATS = (
    Format("long_table", "text with a row for each lead and time", _recognises, _read, order=89),
)
