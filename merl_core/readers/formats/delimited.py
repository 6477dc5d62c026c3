"""Delimited text: CSV, TSV, semicolons with decimal commas; with or without names, time, unit."""

import io
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, check_count
from merl_core.readers.registry import Format
from merl_core.readers.tables import Table, table_to_record
from merl_core.readers.upload import Part
from merl_core.records import Record

_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_MISSING = r"(?:nan|na|n/a|null|none|inf|-inf)?"
_CELL = re.compile(rf"\s*\"?(?:{_NUMBER}|{_MISSING})\"?\s*", re.IGNORECASE)
_REMARK = re.compile(
    r"^[#%;\s\"]*(?P<key>fs|f_s|sampling[ _-]?(?:rate|frequency)|sample[ _-]?rate|rate|unit|units)"
    r"\s*(?:\(?(?P<in>hz)\)?)?\s*[:=,;\t]\s*\"?(?P<value>[\d.]+|[a-zµμ]+)\s*(?:hz)?\b",
    re.IGNORECASE,
)
_MIN_ROWS = 8


@dataclass(slots=True)
class _Layout:
    delimiter: str
    decimal: str
    first_row: int
    header: list[str] = field(default_factory=list)
    fs: float | None = None
    unit: str = ""


def _recognises(part: Part) -> bool:
    if not _is_text(part.head):
        return False
    return _layout(_first_lines(part)) is not None


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return b"\x00" not in head and sum(b < 9 or 13 < b < 32 for b in head) == 0


def _first_lines(part: Part, n_bytes: int = 400_000) -> list[str]:
    window = Part(part.name, part.content[:n_bytes]).text
    lines = window.splitlines()
    complete = lines if len(part.content) <= n_bytes or len(lines) < 2 else lines[:-1]
    return complete[:60]


def _layout(lines: list[str]) -> _Layout | None:
    """Return how the table is written, None if the text is no table of numbers."""
    for delimiter in ("\t", ";", ",", "|", " "):
        decimal = "," if delimiter not in (",",) and _has_decimal_comma(lines, delimiter) else "."
        numeric = [_is_numeric_row(line, delimiter) for line in lines]
        if True not in numeric:
            continue
        first = numeric.index(True)
        body = [ok for ok, line in zip(numeric[first:], lines[first:], strict=True) if line.strip()]
        widths = {len(_cells(line, delimiter)) for line in lines[first:] if line.strip()}
        if len(body) < 2 or not all(body) or len(widths) > 1 or max(widths) < 2:
            continue
        layout = _Layout(delimiter, decimal, first)
        _read_preamble(layout, lines[:first], max(widths))
        return layout
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    line = line.strip(" \r\n")
    return line.split() if delimiter == " " else line.split(delimiter)


def _is_numeric_row(line: str, delimiter: str) -> bool:
    cells = _cells(line, delimiter)
    if len(cells) > 1 and not cells[-1]:
        cells = cells[:-1]
    numbers = sum(bool(re.search(r"\d", cell)) for cell in cells)
    if delimiter == "," or len(cells) < 2:
        return len(cells) >= 2 and numbers > 0 and all(
            _CELL.fullmatch(cell) and "," not in cell for cell in cells
        )  # fmt: skip
    return numbers > 0 and all(_CELL.fullmatch(cell) for cell in cells)


def _has_decimal_comma(lines: list[str], delimiter: str) -> bool:
    cells = [cell for line in lines for cell in _cells(line, delimiter)]
    return any(re.fullmatch(r"\s*\"?[-+]?\d*,\d+\"?\s*", cell) for cell in cells)


def _read_preamble(layout: _Layout, lines: list[str], width: int) -> None:
    for line in lines:
        remark = _REMARK.match(line)
        if remark and remark["value"][0].isdigit() and not remark["key"].lower().startswith("unit"):
            layout.fs = float(remark["value"])
        elif remark and remark["key"].lower().startswith("unit"):
            layout.unit = remark["value"]
    for line in reversed(lines):
        cells = [cell.strip().strip("\"'") for cell in _cells(line.lstrip("#% "), layout.delimiter)]
        if layout.delimiter == " " and len(cells) != width:
            cells = re.split(r"\s{2,}|\t", line.strip())
        if len(cells) >= width or (len(cells) == width - 1 and width > 2):
            layout.header = cells
            return


def _read(part: Part) -> Record:
    findings = Findings()
    layout = _layout(_first_lines(part))
    if layout is None:
        msg = f"{part.name!r} is no table of numbers"
        raise InvalidRecordError(msg, code="unknown_format")
    with findings.library_warnings():
        values, bad = _numbers(part.text, layout)
    if bad:
        findings.warn("not_numeric", f"{bad} cells that are not numbers read as not recorded")
    header = layout.header
    if len(header) != values.shape[1]:
        header = header[: values.shape[1]] if len(header) > values.shape[1] else []
    table = Table(values, header, layout.fs, layout.unit)
    return table_to_record(table, "csv", findings, hint=part.name)


def _numbers(text: str, layout: _Layout) -> tuple[NDArray[np.float64], int]:
    """Return the table's values of shape (rows, columns), and how many cells are no numbers."""
    check_count(text.count("\n") + 1)
    frame = pd.read_csv(
        io.StringIO(text),
        sep=r"\s+" if layout.delimiter == " " else layout.delimiter,
        decimal=layout.decimal,
        header=None,
        skiprows=layout.first_row,
        skip_blank_lines=True,
        skipinitialspace=True,
        on_bad_lines="error",
        low_memory=False,
    )
    bad = 0
    columns = []
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind not in "iuf":
            numbers = pd.to_numeric(column.astype(str).str.strip(), errors="coerce")
            bad += int((numbers.isna() & column.notna()).sum())
            column = numbers
        columns.append(column.to_numpy(np.float64))
    values = np.stack(columns, axis=1)
    if np.isnan(values[:, -1]).all() and values.shape[1] > 2:
        values = values[:, :-1]
    if bad > 0.1 * values.size or len(values) < 2:
        msg = f"{bad} of {values.size} cells are not numbers"
        raise InvalidRecordError(msg)
    return values, bad


FORMATS = (Format("csv", "delimited text (CSV, TSV)", _recognises, _read, order=90),)
