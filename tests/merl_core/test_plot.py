"""ECG paper: exact millimetres, nothing of the file's own text, gaps stay gaps."""

import io
import re
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from PIL import Image

from merl_core.errors import InvalidRecordError
from merl_core.plot import render_png, render_svg
from merl_core.records import STANDARD_LEADS, Record

SVG = "{http://www.w3.org/2000/svg}"


def step_record(fs: float = 100.0, leads: tuple[str, ...] = STANDARD_LEADS) -> Record:
    """Zero for most of each lead, 1 mV from second 1.0 to 1.5."""
    signal = np.zeros((len(leads), int(10 * fs)), np.float32)
    signal[:, int(1.0 * fs) : int(1.5 * fs)] = 1.0
    return Record(signal, leads, fs)


def traces(svg: str) -> list[np.ndarray]:
    """Return each path's points in absolute millimetres, calibration pulses first."""
    found = []
    for path in fromstring(svg).find(f"{SVG}g").findall(f"{SVG}path"):  # type: ignore[union-attr]
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", path.get("d") or "")]
        found.append(np.cumsum(np.array(numbers).reshape(-1, 2), axis=0))
    return found


@pytest.mark.parametrize(("speed", "gain"), [(25, 10), (50, 10), (25, 5), (25, 20)])
def test_a_millivolt_and_a_second_have_their_exact_size(speed: int, gain: int) -> None:
    svg = render_svg(step_record(), layout="12x1", speed_mm_s=speed, gain_mm_mv=gain)
    lead = traces(svg)[12]
    assert np.ptp(lead[:, 1]) == pytest.approx(gain, abs=0.01)
    raised = lead[lead[:, 1] < lead[:, 1].max() - gain / 2]
    assert raised[0, 0] - lead[0, 0] == pytest.approx(speed, abs=0.02)
    assert np.ptp(raised[:, 0]) == pytest.approx(0.49 * speed, abs=0.02)


def test_the_calibration_pulse_is_one_millivolt_and_five_millimetres() -> None:
    pulse = traces(render_svg(step_record(), gain_mm_mv=10))[0]
    assert np.ptp(pulse[:, 1]) == 10
    assert pulse[3, 0] - pulse[2, 0] == 5


def test_the_page_is_sized_in_millimetres() -> None:
    root = fromstring(render_svg(step_record()))
    assert root.get("width") == "270mm"
    assert root.get("viewBox", "").split()[2] == "270"


def test_columns_show_successive_times() -> None:
    record = step_record()
    svg = render_svg(record, layout="3x4+1")
    assert len(traces(svg)) == 4 + 12 + 1
    first_column, second_column = traces(svg)[4], traces(svg)[7]
    assert np.ptp(first_column[:, 1]) == pytest.approx(10)
    assert np.ptp(second_column[:, 1]) == 0


def test_a_gap_is_drawn_as_a_gap() -> None:
    record = step_record()
    record.signal[0, 300:400] = np.nan
    assert len(traces(render_svg(record, layout="12x1"))) == 12 + 13


def test_limb_leads_are_computed_and_others_named_as_missing() -> None:
    svg = render_svg(step_record(leads=("I", "II", "V1")))
    assert ">aVF</text>" in svg
    assert ">V6 not recorded</text>" in svg


def test_a_high_rate_is_thinned_without_losing_its_extremes() -> None:
    record = step_record(fs=4000.0)
    record.signal[0, 20_001] = 2.0
    lead = traces(render_svg(record, layout="12x1"))[12]
    assert len(lead) < 10_000
    assert np.ptp(lead[:, 1]) == pytest.approx(20, abs=0.01)


def test_the_png_has_the_same_size_and_says_its_resolution() -> None:
    image = Image.open(io.BytesIO(render_png(step_record(), px_per_mm=4)))
    assert image.width == 270 * 4
    assert image.info["dpi"][0] == pytest.approx(4 * 25.4, abs=0.1)


def test_the_dark_theme_has_dark_paper() -> None:
    image = Image.open(io.BytesIO(render_png(step_record(), theme="dark", px_per_mm=2)))
    assert max(image.getpixel((1, 1))) < 64  # type: ignore[type-var]


@pytest.mark.parametrize(
    "wrong", [{"layout": "2x2"}, {"speed_mm_s": 30}, {"gain_mm_mv": 1}, {"theme": "pink"}]
)
def test_an_unknown_argument_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=repr(next(iter(wrong.values())))):
        render_svg(step_record(), **wrong)  # type: ignore[arg-type]


def test_a_recording_without_standard_leads_cannot_be_drawn() -> None:
    with pytest.raises(InvalidRecordError, match="no standard lead among MLX"):
        render_svg(step_record(leads=("MLX",)))
