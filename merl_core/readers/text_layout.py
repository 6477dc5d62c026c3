"""How a text file writes its table: delimiter, decimal sign, names, remarks before the numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from merl_core.readers.assembly import millivolts_per, usual_rate
from merl_core.readers.text_encoding import wide_encoding

_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_MISSING = r"(?:nan|na|n/a|null|none|-|\?|-?inf)?"
_CELL = re.compile(rf"\s*[\"']?(?:{_NUMBER}|{_MISSING})[\"']?\s*", re.IGNORECASE)
_PLAIN_ROWS = {
    delimiter: re.compile(rf"{number}(?:{re.escape(delimiter)}{number})+")
    for delimiter, number in (
        (delimiter, rf"[-+]?\d{{1,15}}(?:{sign}\d{{0,15}})?(?:[eE][-+]?\d{{1,3}})?")
        for delimiter, sign in (
            ("\t", "[.,]"),
            (";", "[.,]"),
            (",", "[.]"),
            ("|", "[.,]"),
            (" ", "[.,]"),
        )
    )
}
"""Rows of nothing but numbers, by delimiter: most rows are, and are told so in one step."""
_MAX_PLAIN = 4000
_CLOCK = re.compile(
    r"\s*[\"'\[]*(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T])?(?:\d+:)?\d{1,2}:\d{2}(?:[.,]\d+)?"
    r"(?: \d{1,2}/\d{1,2}/\d{4})?(?:Z|[-+]\d\d:?\d\d)?[\"'\]]*\s*"
)
_RATE = re.compile(
    r"(?<![a-z])(?:fs|f_s|sampl(?:e|ing)[ _-]?(?:rate|freq(?:uency)?)|rate|freq(?:uency|\.)?|"
    r"samples (?:per|/) ?s(?:ec(?:ond)?)?|abtastrate|frecuencia de muestreo)\s*"
    r"[\[(]?(?:hz|sps)?[\])]?[\s\"]*[:=,;\t ][\s\"]*(?P<value>\d+(?:\.\d+)?)(?![\d.]*\d)",
    re.IGNORECASE,
)
_INTERVAL = re.compile(
    r"(?<![a-z])sampl(?:e|ing)[ _-]?(?:interval|period)\s*[\[(]?(?P<before>ms|us|s)?[\])]?"
    r"[\s\"]*[:=,;\t ][\s\"]*(?P<value>\d+(?:\.\d+)?)\s*(?P<after>ms|us|s)?(?![a-z\d])",
    re.IGNORECASE,
)
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_UNIT = re.compile(
    r"(?<![a-z])(?:units?|einheit|unidad(?:es)?)[\s\"]*[:=,;\t ][\s\"]*"
    r"(?P<value>[mµμun]?v|(?:micro|milli)volts?)\b",
    re.IGNORECASE,
)
_GAIN = re.compile(
    r"(?<![a-z])gain[\s\"]*[:=,;\t ][\s\"]*(?P<value>\d+(?:\.\d+)?)\s*"
    r"(?:adu|lsbs?|units?|counts?|bits?|digits?)?\s*(?:/|per)\s*mv\b",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"(?<![a-z])(?:resolution|lsb|auflösung|resolución)[\s\"]*[:=,;\t ][\s\"]*"
    r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[mµμun]v)\b",
    re.IGNORECASE,
)
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
"""A number whose commas group digits by three; `0,123` is none."""
_CONTROL = bytes(set(range(32)) - set(range(9, 14)))
_MIN_SAMPLES_IN_ROW = 20
_MAX_LEAD_NAME = 40
_BLANK = "blank"
_MIN_COUNTED = 8
_MAX_CELL, _MAX_REMARK = 100, 300
"""Characters beyond which nothing is a number, and no remark is searched."""
_SAMPLED = 100
_MAX_TEXTS = 3


@dataclass(slots=True)
class TextLayout:
    """What was found out about a table in text."""

    delimiter: str
    decimal: str
    first_row: int
    """Line of the first numbers, from 0."""
    width: int
    """Cells in a row."""
    kind: str
    """`numbers`; `clock` if a row's first cell is a time of day; `named` if it is a name."""
    names: list[str] = field(default_factory=list)
    fs: float | None = None
    unit: str = ""
    units: list[str] = field(default_factory=list)
    """Of each column, where a row of units gives several."""
    step_mv: float | None = None
    """Of whole numbers, where a remark states a gain or a resolution."""
    texts: tuple[int, ...] = ()
    """Columns that hold words."""


def find_layout(lines: Sequence[str]) -> TextLayout | None:
    """Return how the lines write a table, None if they hold no table of numbers."""
    for delimiter in ("\t", ";", ",", "|", " "):
        if not any(delimiter in line for line in lines):
            continue
        commas = [] if delimiter == "," else _cells_with_comma(lines, delimiter)
        is_decimal = bool(commas) and not all(map(THOUSANDS.fullmatch, commas))
        decimal = "," if is_decimal else "."
        rows = [(i, split(line, delimiter)) for i, line in enumerate(lines) if line.strip()]
        plain = _PLAIN_ROWS[delimiter]
        kinds = [
            "numbers"
            if len(lines[i]) < _MAX_PLAIN and plain.fullmatch(lines[i])
            else _kind(cells, delimiter)
            for i, cells in rows
        ]
        begin = next((i for i, kind in enumerate(kinds) if kind not in (None, _BLANK)), None)
        if begin is None:
            continue
        begin = _after_header(rows, kinds, begin)
        width = _common_width(lines, rows[begin:], delimiter)
        if len(set(kinds[begin:]) - {_BLANK}) > 1 or len(rows) - begin < 2 or width < 2:
            continue
        first_row = rows[begin][0]
        layout = TextLayout(delimiter, decimal, first_row, width, str(kinds[begin]))
        layout.texts = _text_columns(rows[begin][1], delimiter)
        _read_preamble(layout, lines[:first_row])
        return layout
    return None


def is_text(head: bytes) -> bool:
    """Return True for bytes that may begin a text: no control characters, or UTF-16."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or wide_encoding(head):
        return True
    return len(head.translate(None, _CONTROL)) == len(head)


def split(line: str, delimiter: str) -> list[str]:
    """Return a row's cells; one empty cell after a last delimiter does not count."""
    line = line.strip(" \r\n")
    cells = line.split() if delimiter == " " else line.split(delimiter)
    return cells[:-1] if len(cells) > 2 and not cells[-1].strip() else cells


def _common_width(
    lines: Sequence[str], rows: Sequence[tuple[int, list[str]]], delimiter: str
) -> int:
    """Return how many cells every row has, 0 if they differ by more than an empty last one."""
    width = max(len(cells) for _, cells in rows)
    is_even = all(
        len(cells) == width
        or (len(cells) == width - 1 and lines[i].rstrip(" \r\n").endswith(delimiter))
        for i, cells in rows
    )
    return width if is_even else 0


def _after_header(
    rows: Sequence[tuple[int, list[str]]], kinds: Sequence[str | None], begin: int
) -> int:
    """Return where the body begins: a row of another kind than the next is still header.

    So is a first row that counts the columns, as pandas heads a table without names.
    """
    if begin + 1 >= len(kinds) or not kinds[begin + 1]:
        return begin
    cells = [cell.strip(" \"'") for cell in rows[begin][1]]
    cells = cells if cells[0] else cells[1:]
    counted = cells in ([str(i + k) for i in range(len(cells))] for k in (0, 1))
    is_header = kinds[begin] != kinds[begin + 1] or (counted and len(cells) >= _MIN_COUNTED)
    return begin + 1 if is_header else begin


def _kind(cells: Sequence[str], delimiter: str) -> str | None:
    """Return what a row is: `numbers`, `clock`, `named`, each with texts in it or not, or None.

    Also `blank`, if it has nothing but delimiters.
    """
    if len(cells) < 2:
        return None
    sample = _sampled(cells[1:])
    numeric = [_is_number(cell, delimiter) for cell in sample]
    if not any(re.search(r"\d", cell) for cell in sample):
        return _kind_of_gap(cells, delimiter) if all(numeric) else None
    if not all(numeric):
        n_texts = numeric.count(False)
        is_table = n_texts <= _MAX_TEXTS and len(cells) >= _MIN_COUNTED + n_texts
        is_list = cells[0].lstrip().startswith(("[", "{", "("))
        return "numbers" if is_table and not is_list else None
    if _is_number(cells[0], delimiter):
        return "numbers"
    if len(cells[0]) <= _MAX_CELL and _CLOCK.fullmatch(cells[0]):
        return "clock"
    is_name = len(cells[0]) < _MAX_LEAD_NAME and re.search(r"[^\W\d_]", cells[0])
    return "named" if is_name and len(cells) > _MIN_SAMPLES_IN_ROW else None


def _kind_of_gap(cells: Sequence[str], delimiter: str) -> str | None:
    """Return what a row is in which nothing was recorded: by its time, or by its marks."""
    if len(cells) < _MIN_COUNTED or len(cells[0]) > _MAX_CELL:
        return None
    if not any(cell.strip(" \"'") for cell in cells):
        return _BLANK
    if _CLOCK.fullmatch(cells[0]):
        return "clock"
    is_marked = all(cell.strip(" \"'") for cell in cells)
    is_timed = bool(re.search(r"\d", cells[0]))
    return "numbers" if _is_number(cells[0], delimiter) and (is_marked or is_timed) else None


def _text_columns(cells: Sequence[str], delimiter: str) -> tuple[int, ...]:
    """Return which columns hold words, such as an annotation of the rhythm."""
    return tuple(i for i, cell in enumerate(cells) if i and not _is_number(cell, delimiter))


def _is_number(cell: str, delimiter: str) -> bool:
    return (
        len(cell) <= _MAX_CELL
        and bool(_CELL.fullmatch(cell))
        and not (delimiter == "," and "," in cell)
    )


def _cells_with_comma(lines: Sequence[str], delimiter: str) -> list[str]:
    """Return the cells that are a number with a comma in it."""
    pattern = re.compile(r"[-+]?\d*(,\d+)+(\.\d*)?")
    cells = (cell.strip(" \"'") for line in lines for cell in _sampled(split(line, delimiter)))
    return [cell for cell in cells if len(cell) <= _MAX_CELL and pattern.fullmatch(cell)]


def _sampled(cells: Sequence[str]) -> Sequence[str]:
    """Return the first and last cells of a row of many: they tell what the others are."""
    return cells if len(cells) <= 2 * _SAMPLED else [*cells[:_SAMPLED], *cells[-_SAMPLED:]]


def _stated_rate(line: str) -> float | None:
    """Return the rate that a remark states, as such or as the time between samples."""
    rate = _RATE.search(line)
    if rate:
        return float(rate["value"])
    interval = _INTERVAL.search(line)
    unit = (interval["after"] or interval["before"] or "").lower() if interval else ""
    if interval is None or unit not in _SECONDS or not float(interval["value"]):
        return None
    return usual_rate(1 / (float(interval["value"]) * _SECONDS[unit]))


def _stated_step(line: str) -> float | None:
    """Return the millivolts of one unit that a remark states, as units per mV or mV per unit."""
    gain, step = _GAIN.search(line), _STEP.search(line)
    if gain and float(gain["value"]):
        return 1 / float(gain["value"])
    return float(step["value"]) * (millivolts_per(step["unit"]) or 0.0) if step else None


def _read_preamble(layout: TextLayout, lines: Sequence[str]) -> None:
    """Take rate, unit and column names from the lines before the numbers."""
    for line in (line[:_MAX_REMARK] for line in lines):
        layout.fs = _stated_rate(line) or layout.fs
        unit = _UNIT.search(line)
        if unit:
            layout.unit = unit["value"]
        layout.step_mv = _stated_step(line) or layout.step_mv
    for line in reversed(lines):
        cells = [cell.strip().strip("\"'") for cell in split(line.lstrip("#% "), layout.delimiter)]
        if not any(cells):
            continue
        if layout.delimiter == " " and len(cells) != layout.width:
            cells = re.split(r"\s{2,}|\t", line[:_MAX_REMARK].strip())
        units = [cell for cell in cells if millivolts_per(cell) is not None]
        if len(cells) >= layout.width - 1 and 2 * len(units) >= len(cells):
            layout.unit = layout.unit or units[0]
            layout.units = cells if len(set(units)) > 1 else layout.units
        elif len(cells) in (layout.width, layout.width - 1, layout.width + 1) and len(cells) > 1:
            layout.names = cells
            return
