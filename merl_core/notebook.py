"""A classification as HTML for notebooks: the drawn ECG, and the ranked classes beneath it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

DISCLAIMER: Final = (
    "Research use only. Not a medical device: scores are similarities between an ECG and a "
    "text, not probabilities of disease, and no diagnosis may rest on them."
)
_SHOWN: Final = 25
"""Rows shown; the rest is in the result."""
_STYLE: Final = (
    ".merl{font:14px/1.45 system-ui,sans-serif;max-width:1000px}"
    ".merl svg{width:100%;height:auto;border:1px solid #8884;border-radius:8px}"
    ".merl table{border-collapse:collapse;width:100%;margin:8px 0}"
    ".merl th,.merl td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid #8884}"
    ".merl .num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".merl .bar{width:34%}.merl .bar i{display:block;height:8px;border-radius:4px;"
    "background:#1f5fa8}.merl small{opacity:.75}"
)


@dataclass(frozen=True, slots=True)
class Display:
    """What is shown of a classified recording."""

    title: str
    model: str
    rows: Sequence[Mapping[str, Any]]
    """`label`, `score`, `percentile` and `percentile_interval`, in the order shown."""
    svg: str
    """The drawing, made by `merl_core.plot`; empty without one."""
    notes: Sequence[str] = ()
    n_reference: int = 0


def display_html(shown: Display) -> str:
    """Return the HTML; every text is escaped, the drawing is taken as it is."""
    rows = "".join(_row(row) for row in shown.rows[:_SHOWN])
    hidden = len(shown.rows) - _SHOWN
    more = f"<p><small>{hidden} classes more in the result.</small></p>" if hidden > 0 else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in shown.notes)
    bank = f"; percentiles among {shown.n_reference} recordings" if shown.n_reference else ""
    return (
        f"<style>{_STYLE}</style><div class='merl'><p><b>{escape(shown.title)}</b> "
        f"<small>model {escape(shown.model)}{bank}</small></p>{shown.svg}"
        "<table><thead><tr><th>class</th><th></th><th class='num'>percentile (95 % interval)</th>"
        f"<th class='num'>score</th></tr></thead><tbody>{rows}</tbody></table>{more}"
        f"{f'<ul>{notes}</ul>' if notes else ''}<p><small>{DISCLAIMER}</small></p></div>"
    )


def _row(row: Mapping[str, Any]) -> str:
    place, interval = row["percentile"], row["percentile_interval"]
    figure = "" if place is None else f"{place:.1f}"
    if interval is not None:
        figure += f" ({interval[0]:.1f}\u2013{interval[1]:.1f})"
    width = 0 if place is None else place
    bar = f"<i style='width:{width:.1f}%'></i>"
    return (
        f"<tr><td>{escape(row['label'])}</td><td class='bar'>{bar}</td>"
        f"<td class='num'>{figure}</td><td class='num'>{row['score']:.3f}</td></tr>"
    )
