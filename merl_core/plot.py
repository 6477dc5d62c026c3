"""Paper-style ECGs, right to the millimetre: 25 mm/s and 10 mm/mV on a 1 mm grid, SVG or PNG.

Both outputs draw one scene in millimetres. Names and texts are our own, never the file's.
"""

import io
import math
from dataclasses import dataclass, field
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from merl_core.errors import InvalidRecordError
from merl_core.records import STANDARD_LEADS, Record

Layout = Literal["3x4+1", "6x2", "12x1"]
Theme = Literal["light", "dark"]


class PlotOptions(TypedDict, total=False):
    """The options of `render_svg`, which `render_png` shares."""

    layout: Layout
    speed_mm_s: int
    gain_mm_mv: int
    theme: Theme
    start_s: float


_COLUMNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "3x4+1": (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6")),
    "6x2": (STANDARD_LEADS[:6], STANDARD_LEADS[6:]),
    "12x1": (STANDARD_LEADS,),
}
_ROW_MM = {"3x4+1": 30, "6x2": 20, "12x1": 20}
"""Distance of rows at 10 mm/mV."""
_RHYTHM_LEADS = ("II", "V1", "V5")
SPEEDS_MM_S = (25, 50)
GAINS_MM_MV = (5, 10, 20)
SHOWN_S = 10.0
_MARGIN_MM = 5
_PULSE_MM = 10
"""Room before each row for the calibration pulse, which is 5 mm wide and 1 mV high."""
_HEADER_MM = 10
_POINTS_PER_MM = 20
_LABEL_MM = 3.2

_COLORS = {
    "light": {"paper": "#ffffff", "minor": "#f8dede", "major": "#e9aaaa", "ink": "#111111"},
    "dark": {"paper": "#14181d", "minor": "#232b33", "major": "#3d4a57", "ink": "#e8ecef"},
}


@dataclass(slots=True)
class _Scene:
    """What is drawn, in millimetres from the upper left corner of the page."""

    width: float
    height: float
    lines: list[NDArray[np.float64]] = field(default_factory=list)
    """Each of shape (N, 2)."""
    labels: list[tuple[float, float, str]] = field(default_factory=list)


def render_svg(
    record: Record,
    *,
    layout: Layout = "3x4+1",
    speed_mm_s: int = 25,
    gain_mm_mv: int = 10,
    theme: Theme = "light",
    start_s: float = 0.0,
) -> str:
    """Return the recording as an SVG document whose size is in millimetres.

    Ten seconds are shown, columns one after another in time as on paper. Each lead is moved to
    its row by its median. III, aVR, aVL and aVF are computed from I and II where they are missing.

    Args:
        record: Any recording with standard leads.
        layout: `3x4+1` (with a rhythm strip), `6x2` or `12x1`.
        speed_mm_s: 25 or 50.
        gain_mm_mv: 5, 10 or 20.
        theme: Paper colours for a light or a dark page.
        start_s: First second shown.

    Raises:
        ValueError: An argument is none of those.
        InvalidRecordError: The recording has no standard lead, or is over before `start_s`.
    """
    options = PlotOptions(
        layout=layout, speed_mm_s=speed_mm_s, gain_mm_mv=gain_mm_mv, theme=theme, start_s=start_s
    )
    scene, colors = _scene(record, options), _COLORS[theme]
    paths = "".join(f'<path d="{_path(line)}"/>' for line in scene.lines)
    labels = "".join(f'<text x="{x:g}" y="{y:g}">{text}</text>' for x, y, text in scene.labels)
    w, h = f"{scene.width:g}", f"{scene.height:g}"
    title = f"12-lead ECG, {speed_mm_s} mm/s, {gain_mm_mv} mm/mV"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}mm" height="{h}mm" '
        f'viewBox="0 0 {w} {h}" role="img" aria-label="{title}"><title>{title}</title>'
        f'<defs><pattern id="mm1-{theme}" width="1" height="1" patternUnits="userSpaceOnUse">'
        f'<path d="M1 0H0V1" fill="none" stroke="{colors["minor"]}" stroke-width="0.1"/></pattern>'
        f'<pattern id="mm5-{theme}" width="5" height="5" patternUnits="userSpaceOnUse">'
        f'<rect width="5" height="5" fill="url(#mm1-{theme})"/>'
        f'<path d="M5 0H0V5" fill="none" stroke="{colors["major"]}" stroke-width="0.2"/></pattern>'
        f'</defs><rect width="{w}" height="{h}" fill="{colors["paper"]}"/>'
        f'<rect width="{w}" height="{h}" fill="url(#mm5-{theme})"/>'
        f'<g fill="none" stroke="{colors["ink"]}" stroke-width="0.25" stroke-linejoin="round">'
        f'{paths}</g><g fill="{colors["ink"]}" font-family="sans-serif" '
        f'font-size="{_LABEL_MM}">{labels}</g></svg>'
    )


def render_png(
    record: Record,
    *,
    layout: Layout = "3x4+1",
    speed_mm_s: int = 25,
    gain_mm_mv: int = 10,
    theme: Theme = "light",
    start_s: float = 0.0,
    px_per_mm: int = 6,
) -> bytes:
    """Return the recording as a PNG of `px_per_mm` pixels a millimetre, its dpi set to match.

    Args:
        record: Any recording with standard leads.
        layout: As in `render_svg`, like all that follow.
        speed_mm_s: 25 or 50.
        gain_mm_mv: 5, 10 or 20.
        theme: `light` or `dark`.
        start_s: First second shown.
        px_per_mm: 2 to 24; 6 is 152 dpi.

    Raises:
        ValueError: As `render_svg`; or `px_per_mm` is out of range.
        InvalidRecordError: As `render_svg`.
    """
    if not 2 <= px_per_mm <= 24:
        msg = f"px_per_mm is {px_per_mm!r}, expected 2 to 24"
        raise ValueError(msg)
    options = PlotOptions(
        layout=layout, speed_mm_s=speed_mm_s, gain_mm_mv=gain_mm_mv, theme=theme, start_s=start_s
    )
    scene, colors = _scene(record, options), _COLORS[theme]
    fine = 2
    scale = px_per_mm * fine
    size = (round(scene.width * scale), round(scene.height * scale))
    image: Image.Image = Image.new("RGB", size, colors["paper"])
    draw = ImageDraw.Draw(image)
    for step, color, width in ((1, colors["minor"], 1), (5, colors["major"], fine)):
        for x in range(0, math.ceil(scene.width) + 1, step):
            draw.line([(x * scale, 0), (x * scale, size[1])], fill=color, width=width)
        for y in range(0, math.ceil(scene.height) + 1, step):
            draw.line([(0, y * scale), (size[0], y * scale)], fill=color, width=width)
    for line in scene.lines:
        points = [(float(x), float(y)) for x, y in line * scale]
        draw.line(points, fill=colors["ink"], width=max(2, round(0.25 * scale)), joint="curve")
    font = ImageFont.load_default(_LABEL_MM * scale)
    for left, top, text in scene.labels:
        draw.text((left * scale, top * scale), text, fill=colors["ink"], font=font, anchor="ls")
    small = image.resize((size[0] // fine, size[1] // fine), Image.Resampling.BOX)
    out = io.BytesIO()
    small.save(out, "PNG", dpi=(px_per_mm * 25.4, px_per_mm * 25.4), optimize=False)
    return out.getvalue()


def check_options(options: PlotOptions) -> None:
    """Raise `ValueError` for an option that the drawings do not have."""
    layout, theme = options.get("layout", "3x4+1"), options.get("theme", "light")
    speed, gain = options.get("speed_mm_s", 25), options.get("gain_mm_mv", 10)
    if layout not in _COLUMNS or speed not in SPEEDS_MM_S or gain not in GAINS_MM_MV:
        msg = (
            f"layout {layout!r}, speed {speed!r} mm/s, gain {gain!r} mm/mV; expected one of "
            f"{sorted(_COLUMNS)}, {SPEEDS_MM_S}, {GAINS_MM_MV}"
        )
        raise ValueError(msg)
    if theme not in _COLORS:
        msg = f"theme {theme!r} is not one of {sorted(_COLORS)}"
        raise ValueError(msg)


def _scene(record: Record, options: PlotOptions) -> _Scene:
    check_options(options)
    layout, start_s = options["layout"], options["start_s"]
    speed, gain = options["speed_mm_s"], options["gain_mm_mv"]
    signals = _standard_signals(record)
    first = round(start_s * record.fs)
    if not 0 <= first < record.sig_len:
        msg = f"start_s {start_s!r} is not within the {record.duration_s:.1f} s of the recording"
        raise InvalidRecordError(msg, code="invalid_request")
    columns = _COLUMNS[layout]
    row_mm = 5 * math.ceil(_ROW_MM[layout] * gain / 50)
    rhythm = next((lead for lead in _RHYTHM_LEADS if lead in signals), next(iter(signals)))
    n_rows = len(columns[0]) + (layout == "3x4+1")
    left = _MARGIN_MM + _PULSE_MM
    scene = _Scene(left + SHOWN_S * speed + _MARGIN_MM, _HEADER_MM + n_rows * row_mm + _MARGIN_MM)
    for row in range(n_rows):
        _add_pulse(scene, _middle(row, row_mm), gain)
    shown = round(SHOWN_S * record.fs)
    for column, leads in enumerate(columns):
        begin, end = (round(shown * c / len(columns)) for c in (column, column + 1))
        x = left + SHOWN_S * speed * column / len(columns)
        for row, lead in enumerate(leads):
            part = signals.get(lead, np.empty(0, np.float32))[first + begin : first + end]
            _add_trace(scene, part, (x, _middle(row, row_mm)), speed / record.fs, gain)
            name = lead if lead in signals else f"{lead} not recorded"
            scene.labels.append((x + 1, _middle(row, row_mm) - row_mm / 2 + 5, name))
    if layout == "3x4+1":
        y = _middle(n_rows - 1, row_mm)
        part = signals[rhythm][first : first + shown]
        _add_trace(scene, part, (left, y), speed / record.fs, gain)
        scene.labels.append((left + 1, y - row_mm / 2 + 5, rhythm))
    scene.labels.append((_MARGIN_MM, _MARGIN_MM, f"{speed} mm/s   {gain} mm/mV"))
    return scene


def _middle(row: int, row_mm: float) -> float:
    return _HEADER_MM + (row + 0.5) * row_mm


def _standard_signals(record: Record) -> dict[str, NDArray[np.float32]]:
    """Return the standard leads by name, limb leads computed from I and II where missing."""
    signals = {
        lead: record.signal[i] for i, lead in enumerate(record.leads) if lead in STANDARD_LEADS
    }
    if not signals:
        msg = f"no standard lead among {', '.join(record.leads[:12])}"
        raise InvalidRecordError(msg, code="missing_lead")
    if "I" in signals and "II" in signals:
        one, two = signals["I"], signals["II"]
        computed = {
            "III": two - one,
            "aVR": -(one + two) / 2,
            "aVL": one - two / 2,
            "aVF": two - one / 2,
        }
        signals = {**computed, **signals}
    return signals


def _add_pulse(scene: _Scene, y: float, gain: int) -> None:
    x = float(_MARGIN_MM)
    corners = [(x, y), (x + 1, y), (x + 1, y - gain), (x + 6, y - gain), (x + 6, y)]
    scene.lines.append(np.array([*corners, (x + 7, y)]))


def _add_trace(
    scene: _Scene,
    values: NDArray[np.float32],
    origin: tuple[float, float],
    mm_per_sample: float,
    gain: int,
) -> None:
    """Add a lead's samples; gaps stay gaps, and what leaves the page is cut at its edge."""
    known = np.isfinite(values)
    if not known.any():
        return
    x = origin[0] + np.arange(values.size) * mm_per_sample
    y = origin[1] - (values - np.median(values[known])) * gain
    y = np.clip(y, 0, scene.height)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False]))))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        points = np.stack([x[begin:end], y[begin:end]], axis=1).astype(np.float64)
        scene.lines.append(_thinned(points, mm_per_sample))


def _thinned(points: NDArray[np.float64], mm_per_sample: float) -> NDArray[np.float64]:
    """Return no more points a millimetre than can be seen, keeping every extreme."""
    bin_size = int(2 / (_POINTS_PER_MM * mm_per_sample))
    if bin_size < 3 or len(points) < 2 * bin_size:
        return points
    n_bins = len(points) // bin_size
    y = points[: n_bins * bin_size, 1].reshape(n_bins, bin_size)
    base = np.arange(n_bins) * bin_size
    rest = np.arange(n_bins * bin_size, len(points))
    kept = np.concatenate([[0], base + y.argmin(axis=1), base + y.argmax(axis=1), rest])
    thinned: NDArray[np.float64] = points[np.unique(kept)]
    return thinned


def _path(line: NDArray[np.float64]) -> str:
    """Return SVG path data: an absolute start, then relative steps in hundredths of a mm."""
    hundredths = np.round(line * 100).astype(np.int64)
    steps = np.diff(hundredths, axis=0) / 100
    start = hundredths[0] / 100
    moves = " ".join(map("{:g}".format, steps.ravel().tolist()))
    return f"M{start[0]:g} {start[1]:g}" + (f"l{moves}" if moves else "h0")
