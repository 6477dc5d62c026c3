"""Delimited text: CSV, TSV, semicolons with decimal commas; with or without names, time, unit."""

import io
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, check_count
from merl_core.readers.registry import Format
from merl_core.readers.tables import Table, table_to_record, with_units
from merl_core.readers.text_layout import THOUSANDS, TextLayout, find_layout, is_text, split
from merl_core.readers.upload import Part
from merl_core.records import Record

_WINDOW_BYTES = 1_000_000
_WINDOW_LINES = 40
_HEAD_BYTES = 16_384
"""In which the first lines mostly are; plain ASCII reads the same whatever follows."""
_WIDE = 300
"""Cells in a row from which rows are parsed one by one: pandas is slow on many columns."""
_MAX_ROWS = 64
"""Of a table with a lead in each row."""
_MAX_BAD_SHARE = 0.1
_MAX_FOOTER = 5


def _recognises(part: Part) -> bool:
    if not is_text(part.head):
        return False
    part.found["layout"] = find_layout(_first_lines(part))
    return part.found["layout"] is not None


def _first_lines(part: Part) -> list[str]:
    head = part.content[:_HEAD_BYTES]
    if head.isascii() and b"\x00" not in head:
        lines = head.decode().splitlines()
        if len(lines) > _WINDOW_LINES + 1:
            return lines[:_WINDOW_LINES]
    whole = len(part.content) <= _WINDOW_BYTES
    lines = Part(part.name, part.content[:_WINDOW_BYTES]).text.splitlines()
    return (lines if whole or len(lines) < 2 else lines[:-1])[:_WINDOW_LINES]


def _read(part: Part) -> Record:
    findings = Findings()
    layout: TextLayout = part.found["layout"]
    names = layout.names
    if len(layout.units) == len(names):
        names = with_units(names, layout.units)
    with findings.library_warnings():
        if layout.texts:
            findings.warn("signals_left_out", f"{len(layout.texts)} columns of words left out")
        if layout.kind == "named" or layout.width > _WIDE:
            names, values, bad = _wide_rows(part.text, layout)
        else:
            values, bad = _columns(part, layout, findings)
    if layout.kind == "clock" and len(names) in (values.shape[1], values.shape[1] - 1):
        names = ["time_s", *names[len(names) - values.shape[1] + 1 :]]
    elif layout.texts and len(names) == layout.width:
        names = [name for i, name in enumerate(names) if i not in layout.texts]
    values, bad = _without_footer(values, bad, findings)
    if bad > _MAX_BAD_SHARE * values.size or len(values) < 2:
        msg = f"{bad} of {values.size} cells are not numbers"
        raise InvalidRecordError(msg)
    if bad:
        findings.warn("not_numeric", f"{bad} cells that are not numbers read as not recorded")
    if len(names) not in values.shape:
        names = names[: values.shape[1]] if len(names) > values.shape[1] else []
    table = Table(values, names, layout.fs, layout.unit, layout.step_mv)
    return table_to_record(table, "csv", findings, hint=part.name)


def _without_footer(
    values: NDArray[np.float64], bad: int, findings: Findings
) -> tuple[NDArray[np.float64], int]:
    """Return the rows without the last ones that hold no number, such as a closing remark."""
    filled = np.flatnonzero(~np.isnan(values).all(axis=1))
    cut = len(values) - int(filled[-1]) - 1 if filled.size else 0
    if not 0 < cut <= _MAX_FOOTER:
        return values, bad
    findings.warn("not_numeric", f"{cut} last lines without numbers left out")
    return values[:-cut], max(0, bad - cut)


def _columns(part: Part, layout: TextLayout, findings: Findings) -> tuple[NDArray[np.float64], int]:
    """Return values of shape (rows, columns), and how many cells are no numbers."""
    check_count(layout.width * (part.content.count(b"\n") + 1))
    is_plain = part.content.isascii() and b"\x00" not in part.head
    frame = pd.read_csv(
        io.BytesIO(part.content) if is_plain else io.StringIO(part.text),
        sep=r"\s+" if layout.delimiter == " " else layout.delimiter,
        decimal=layout.decimal,
        header=None,
        skiprows=layout.first_row,
        skipinitialspace=True,
        low_memory=False,
    )
    kept = [i for i in range(frame.shape[1]) if i not in layout.texts]
    kinds = [dtype.kind for dtype in frame.dtypes.to_numpy()]
    if layout.kind != "clock" and all(kinds[i] in "iuf" for i in kept):
        numbers = frame if len(kept) == frame.shape[1] else frame.iloc[:, kept]
        return _without_empty_last(numbers.to_numpy(np.float64), len(kept), layout), 0
    values, bad = _cell_by_cell(frame, kept, layout, findings)
    return _without_empty_last(values, len(kept), layout), bad


def _without_empty_last(
    values: NDArray[np.float64], n_columns: int, layout: TextLayout
) -> NDArray[np.float64]:
    """Return the values without a last column that delimiters at the ends of lines make."""
    is_empty = n_columns == layout.width - len(layout.texts) + 1 and np.isnan(values[:, -1]).all()
    return values[:, :-1] if is_empty else values


def _cell_by_cell(
    frame: pd.DataFrame, kept: list[int], layout: TextLayout, findings: Findings
) -> tuple[NDArray[np.float64], int]:
    """Return the kept columns of a frame that holds texts, and how many cells are no numbers."""
    bad = 0
    columns = []
    comma = _meaning_of_commas([frame.iloc[:, i] for i in kept], findings)
    for place in kept:
        column = frame.iloc[:, place]
        if place == 0 and layout.kind == "clock":
            columns.append(_seconds(column.astype(str)))
            continue
        if column.dtype.kind not in "iuf":
            texts = column.astype(str).str.strip("\"' ").str.replace(",", comma, regex=False)
            numbers = pd.to_numeric(texts, errors="coerce")
            bad += int((numbers.isna() & column.notna()).sum())
            column = numbers
        columns.append(column.to_numpy(np.float64))
    return np.stack(columns, axis=1), bad


def _meaning_of_commas(columns: list["pd.Series[Any]"], findings: Findings) -> str:
    """Return what to read for commas in cells that pandas left as texts: a point, or nothing.

    Between thousands they stand before three digits throughout, and never after a lone zero.
    """
    texts = [c.astype(str).str.strip("\"' ") for c in columns if c.dtype.kind not in "iuf"]
    found = [text for column in texts for text in column[column.str.contains(",", regex=False)]]
    if not found or not all(map(THOUSANDS.fullmatch, found)):
        return "."
    findings.warn("thousands_separator", "commas between digits read as groups of thousands")
    return ""


def _wide_rows(text: str, layout: TextLayout) -> tuple[list[str], NDArray[np.float64], int]:
    """Return names and values of shape (T, rows) of a table with a lead in each row."""
    if text.count("\n") - layout.first_row > _MAX_ROWS:
        msg = f"a table of {layout.width} columns and more than {_MAX_ROWS} rows: neither are leads"
        raise InvalidRecordError(msg, code="unknown_leads")
    names: list[str] = []
    rows: list[NDArray[np.float64]] = []
    bad = 0
    for line in text.splitlines()[layout.first_row :]:
        if not line.strip():
            continue
        cells = split(line, layout.delimiter)
        if len(cells) != layout.width:
            msg = f"a row of {len(cells)} cells among rows of {layout.width}"
            raise InvalidRecordError(msg)
        if layout.kind == "named":
            names.append(cells.pop(0).strip(" \"'"))
        if layout.decimal == ",":
            cells = [cell.replace(",", ".") for cell in cells]
        try:
            row = np.array(cells, dtype=np.float64)
        except ValueError:
            numbers = pd.to_numeric(pd.Series(cells).str.strip("\"' "), errors="coerce")
            row = numbers.to_numpy(np.float64)
            bad += int(np.isnan(row).sum())
        rows.append(row)
        check_count(len(rows) * layout.width)
    return names, np.stack(rows, axis=1), bad


def _seconds(clock: "pd.Series[str]") -> NDArray[np.float64]:
    """Return times of day, with or without a date, as seconds from the first."""
    texts = clock.str.strip("\"'[] ")
    if texts.iloc[:1].str.contains(r"\d[-/.]\d+[-/.]\d", regex=True).any():
        moments = pd.to_datetime(texts, errors="coerce", format="mixed")
        return np.asarray((moments - moments.iloc[0]).dt.total_seconds(), np.float64)
    parts = texts.str.replace(",", ".", regex=False).str.split(":", expand=True)
    numbers = parts.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    weights = 60.0 ** np.arange(numbers.shape[1] - 1, -1, -1)
    seconds = numbers @ weights
    return np.asarray(seconds - seconds[0], np.float64)


FORMATS = (Format("csv", "delimited text (CSV, TSV)", _recognises, _read, order=90),)
