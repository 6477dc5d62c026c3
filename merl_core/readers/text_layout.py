"""How a text file writes its table: delimiter, decimal sign, names, remarks before the numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from merl_core.readers.assembly import millivolts_per

_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_MISSING = r"(?:nan|na|n/a|null|none|-|-?inf)?"
_CELL = re.compile(rf"\s*[\"']?(?:{_NUMBER}|{_MISSING})[\"']?\s*", re.IGNORECASE)
_CLOCK = re.compile(
    r"\s*[\"'\[]*(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T])?(?:\d+:)?\d{1,2}:\d{2}(?:[.,]\d+)?"
    r"(?: \d{1,2}/\d{1,2}/\d{4})?(?:Z|[-+]\d\d:?\d\d)?[\"'\]]*\s*"
)
_RATE = re.compile(
    r"^[#%;\s\"]*(?:fs|f_s|sampl(?:e|ing)[ _-]?(?:rate|freq(?:uency)?)|rate|freq(?:uency)?|"
    r"abtastrate|frecuencia de muestreo)\s*[\[(]?(?:hz|sps)?[\])]?\s*[:=,;\t ]\s*\"?"
    r"(?P<value>\d+(?:\.\d+)?)\s*\"?\s*(?:hz|hertz|sps|samples/s(?:ec(?:ond)?)?)?\W*$",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"^[#%;\s\"]*(?:units?|einheit|unidad(?:es)?)\s*[:=,;\t ]\s*\"?(?P<value>[a-zµμ]+)\W*$",
    re.IGNORECASE,
)
_MIN_SAMPLES_IN_ROW = 20


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


def find_layout(lines: Sequence[str]) -> TextLayout | None:
    """Return how the lines write a table, None if they hold no table of numbers."""
    for delimiter in ("\t", ";", ",", "|", " "):
        decimal = "," if delimiter != "," and _has_decimal_comma(lines, delimiter) else "."
        rows = [(i, split(line, delimiter)) for i, line in enumerate(lines) if line.strip()]
        kinds = [_kind(cells, delimiter) for _, cells in rows]
        begin = next((i for i, kind in enumerate(kinds) if kind), None)
        if begin is None:
            continue
        begin = _after_indented_header(kinds, begin)
        body, widths = set(kinds[begin:]), {len(cells) for _, cells in rows[begin:]}
        if len(body) > 1 or len(widths) > 1 or len(rows) - begin < 2 or max(widths) < 2:
            continue
        first_row = rows[begin][0]
        layout = TextLayout(delimiter, decimal, first_row, max(widths), str(kinds[begin]))
        _read_preamble(layout, lines[:first_row])
        return layout
    return None


def split(line: str, delimiter: str) -> list[str]:
    """Return a row's cells; one empty cell after a last delimiter does not count."""
    line = line.strip(" \r\n")
    cells = line.split() if delimiter == " " else line.split(delimiter)
    return cells[:-1] if len(cells) > 2 and not cells[-1].strip() else cells


def _after_indented_header(kinds: Sequence[str | None], begin: int) -> int:
    """Return where the body begins: a row of another kind than the next is still header."""
    differs = begin + 1 < len(kinds) and kinds[begin] != kinds[begin + 1]
    return begin + 1 if differs and kinds[begin + 1] else begin


def _kind(cells: Sequence[str], delimiter: str) -> str | None:
    if len(cells) < 2:
        return None
    rest = all(_is_number(cell, delimiter) for cell in cells[1:])
    if not rest or not any(re.search(r"\d", cell) for cell in cells[1:]):
        return None
    if _is_number(cells[0], delimiter):
        return "numbers"
    if _CLOCK.fullmatch(cells[0]):
        return "clock"
    return "named" if len(cells) > _MIN_SAMPLES_IN_ROW and len(cells[0]) < 40 else None


def _is_number(cell: str, delimiter: str) -> bool:
    return bool(_CELL.fullmatch(cell)) and not (delimiter == "," and "," in cell)


def _has_decimal_comma(lines: Sequence[str], delimiter: str) -> bool:
    pattern = re.compile(r"\s*[\"']?[-+]?\d*,\d+[\"']?\s*")
    return any(pattern.fullmatch(cell) for line in lines for cell in split(line, delimiter))


def _read_preamble(layout: TextLayout, lines: Sequence[str]) -> None:
    """Take rate, unit and column names from the lines before the numbers."""
    for line in lines:
        rate, unit = _RATE.match(line), _UNIT.match(line)
        if rate:
            layout.fs = float(rate["value"])
        if unit and millivolts_per(unit["value"]) is not None:
            layout.unit = unit["value"]
    for line in reversed(lines):
        cells = [cell.strip().strip("\"'") for cell in split(line.lstrip("#% "), layout.delimiter)]
        if layout.delimiter == " " and len(cells) != layout.width:
            cells = re.split(r"\s{2,}|\t", line.strip())
        units = [cell for cell in cells if millivolts_per(cell) is not None]
        if len(cells) >= layout.width - 1 and 2 * len(units) >= len(cells):
            layout.unit = layout.unit or units[0]
        elif len(cells) in (layout.width, layout.width - 1, layout.width + 1) and len(cells) > 1:
            layout.names = cells
            return
