"""Statements that a ruler decides, measured on the mean beat where annotators are silent."""

from collections.abc import Mapping
from itertools import product
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from merl_core.criteria import (
    Measurements,
    criteria_met,
    frontal_axis_deg,
    has_long_qt,
    is_sinus_arrhythmia,
    not_stated_beside,
    wave_measures,
)
from merl_core.encoders.beat import BASELINE_S, BEFORE_S, T_OF_RR, mean_beat
from merl_core.targets import Targets, Vocabulary

Verdicts = Mapping[str, NDArray[np.float32]]
"""For each statement 1 (holds), 0 (does not) or NaN (may be read either way), shape (N,)."""

_QRS_S: Final = (-0.09, 0.11)
"""From a beat's steepest point."""
_STEEP: Final = 0.1
"""Of the steepest slope, summed over leads: what is still QRS."""
_J_S, _ST_S, _T_S = 0.02, 0.06, 0.12
"""After the end of QRS."""
_QRS_KEPT: Final = 0.84
"""Of the height of QRS, what 100 samples a second, 40 Hz and the mean of beats leave: the median of
simulated ECGs whose heights are known."""
_T_END_S: Final = 0.1
"""After the end of QRS, where the search for the peak of T begins."""
_SHORTEST_T_S: Final = 0.08
_SHORTEST_RR_S: Final = 0.55
"""Faster, T and the next P lie over each other."""
_ODD: Final = 0.8
"""Likeness to the mean beat below which a beat counts as another one."""
_CHUNK: Final = 64
_GAINS: Final = (0.9, 1.1)
"""A reader's error of amplitude."""
_GAINS_UNKNOWN: Final = (0.3, 0.6, 1.0, 1.7, 3.0)
"""What the amplitude may be where the source has lost it."""
_AGES: Final = (20.0, 60.0)
_QT_ERRORS: Final = (0.97, 1.03)
_RR_ERRORS: Final = (0.6, 1.2)
"""Factors of a reader's error, of QTc and of the RR intervals' range."""
_AXIS_BY: Final = ("qrs_axis_deg", "area_axis_deg")
_READ_FROM: Final = {"prolonged-qt-interval": "qtc_ms", "sinus-arrhythmia": "rr_range_s"}
"""Measures that are NaN where nothing can be said."""

_AXES: Final = ("left-axis-deviation", "right-axis-deviation", "extreme-axis-deviation")
_NOT_OF_NORMAL: Final = frozenset({"t-wave-inversion", "poor-r-wave-progression"})
_ONLY_DENIED: Final = frozenset({"prolonged-qt-interval"})
"""Half of what fulfils it on simulated ECGs is a U wave or another T: unknown, not shown."""
_SINUS: Final = frozenset({"sinus-rhythm", "sinus-bradycardia", "sinus-tachycardia"})
_UNEVEN: Final = frozenset({"premature-complex", "av-block", "sinus-pause", "pacemaker-rhythm"})
"""What else makes RR intervals differ."""
TAKEN: Final = (
    *_AXES,
    "low-qrs-voltage",
    "t-wave-inversion",
    "poor-r-wave-progression",
    "clockwise-rotation",
    "counterclockwise-rotation",
    "tall-r-wave-v1",
    "prolonged-qt-interval",
    "sinus-arrhythmia",
)
"""Statements that PTB-XL's annotators often leave out, or have no code for, where a tracing fulfils
them. ST, Q and low T are not among them: annotators judge those by more than these criteria."""


def measure_mean_beats(signals: NDArray[np.float32], fs: float) -> Measurements:
    """Return the measures of recordings' mean beats that `criteria_met` asks for.

    There are more: `area_axis_deg`, the frontal axis by the area of QRS and not by its height;
    `qtc_ms` by Fridericia's formula, T ending where the tangent of its steepest fall (root mean
    square of all leads) meets the baseline, NaN where T has no room; `rr_range_s`, longest less
    shortest RR interval, NaN where beats differ in form.

    Args:
        signals: Shape (N, 12, T), millivolts, standard lead order, 0.5 to 40 Hz.
        fs: Samples per second.
    """
    beat, rr_s, rr_range_s = _mean_beats(signals, fs)

    def part(start_s: float, end_s: float) -> slice:
        return slice(round((BEFORE_S + start_s) * fs), round((BEFORE_S + end_s) * fs))

    beat = beat - beat[..., part(*BASELINE_S)].mean(axis=-1, keepdims=True)
    sample, near = np.arange(beat.shape[-1]), part(*_QRS_S)
    slope = np.abs(np.diff(beat, axis=-1, prepend=beat[..., :1])).sum(axis=1)  # (N, W)
    active = (slope > _STEEP * slope.max(axis=-1, keepdims=True))[:, near]
    onset = near.start + active.argmax(axis=-1) - 1
    end = near.stop - 1 - active[:, ::-1].argmax(axis=-1)
    inside = (sample >= onset[:, None]) & (sample <= end[:, None])
    qrs = np.where(inside[:, None], beat, 0) / _QRS_KEPT  # (N, 12, W)
    after = sample >= (end + round(_T_S * fs))[:, None]
    next_p = round(BEFORE_S * fs) + T_OF_RR * rr_s * fs
    has_no_p = sample < next_p[:, None]
    t = np.where((after & has_no_p)[:, None], beat, 0)

    def at(seconds: float) -> NDArray[np.float64]:
        place = np.minimum(end + round(seconds * fs), beat.shape[-1] - 1)
        return np.asarray(beat[np.arange(len(beat)), :, place])

    t_end = _end_of_t(beat, end + round(_T_END_S * fs), next_p, round(_SHORTEST_T_S * fs))
    qt_s = np.where(rr_s > _SHORTEST_RR_S, (t_end - onset) / fs, np.nan)
    area = qrs.sum(axis=-1)
    return wave_measures(qrs, t) | {
        "area_axis_deg": frontal_axis_deg(area[:, 0], area[:, 5]),
        "qrs_ms": (end - onset) / fs * 1000,
        "qtc_ms": qt_s / np.cbrt(rr_s) * 1000,
        "rr_range_s": rr_range_s,
        "st_mv": at(_ST_S),
        "j_mv": at(_J_S),
    }


def sure_statements(
    signals: NDArray[np.float32], has_voltage: NDArray[np.bool_], fs: float
) -> Verdicts:
    """Return the verdicts on each statement of `criteria_met`, on long QT and sinus arrhythmia.

    A verdict is NaN where two readers might differ: the criteria are asked of amplitudes a tenth
    smaller and larger (of a third to three times, where the source has lost them), of the axis by
    height and by area, of QTc 3 % off and RR intervals that range 0.6 and 1.2 times as far, of
    either sex, of the young and the old, and all have to agree. It is NaN too where there is no
    beat, or no QT or RR to measure. Whether the rhythm is a sinus rhythm at all is not asked.

    Args:
        signals: Shape (N, 12, T), millivolts, standard lead order, 0.5 to 40 Hz.
        has_voltage: Shape (N,), False where amplitudes are not in millivolts.
        fs: Samples per second.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for is_known in np.unique(has_voltage):
        rows = np.flatnonzero(has_voltage == is_known)
        reading = measure_mean_beats(signals[rows], fs)
        has_beat = (reading["r_mv"] + reading["s_mv"]).any(axis=1)
        for name, said in _votes(reading, _GAINS if is_known else _GAINS_UNKNOWN).items():
            can_say = has_beat
            if name in _READ_FROM:
                can_say = can_say & ~np.isnan(reading[_READ_FROM[name]])
            column = found.setdefault(name, np.full(len(signals), np.nan, dtype=np.float32))
            column[rows[np.all(said, axis=0) & can_say]] = 1
            column[rows[~np.any(said, axis=0) & can_say]] = 0
    return found


def _votes(reading: Measurements, gains: tuple[float, ...]) -> dict[str, list[NDArray[np.bool_]]]:
    """Return by statement what each reader says, each of shape (N,)."""
    votes: dict[str, list[NDArray[np.bool_]]] = {}
    n, sexes = len(reading["qtc_ms"]), (True, False)
    for axis, up, down, age, female in product(_AXIS_BY, gains, _GAINS, _AGES, sexes):
        asked = {k: v * up if k.endswith("_mv") else v for k, v in reading.items()}
        asked |= {"s_mv": reading["s_mv"] * up * down, "qrs_axis_deg": reading[axis]}
        for name, hit in criteria_met(asked, np.full(n, age), np.full(n, female)).items():
            votes.setdefault(name, []).append(hit)
    votes["prolonged-qt-interval"] = [
        has_long_qt(reading["qtc_ms"] * error, reading["qrs_ms"], female)
        for error, female in product(_QT_ERRORS, sexes)
    ]
    votes["sinus-arrhythmia"] = [
        is_sinus_arrhythmia(reading["rr_range_s"] * error) for error in _RR_ERRORS
    ]
    return votes


def add_measured(targets: Targets, sure: Verdicts, vocabulary: Vocabulary) -> Targets:
    """Return targets in which a ruler speaks where annotators are silent.

    What they state stays. What they do not state and the tracing surely shows is shown, unless
    another statement explains it; on an ECG that they call normal, an inverted T or a poor R
    progression is unknown, as is what may be read either way.

    Args:
        targets: Of `targets_from_ptbxl`, shape (N, C).
        sure: Of `sure_statements`, for the same recordings.
        vocabulary: The concepts.
    """
    out, index, ids = targets.copy(), vocabulary.index, np.array(vocabulary.ids)
    axes = np.stack([sure[name] for name in _AXES])
    has_no_axis = np.isnan(targets[:, index[_AXES[0]]])
    is_off = np.where((axes == 1).any(axis=0), 1, np.where((axes == 0).all(axis=0), 0, np.nan))
    out[has_no_axis, index["normal-axis"]] = 1 - is_off[has_no_axis]
    for i, row in enumerate(out):
        stated = set(ids[targets[i] == 1])
        closed = stated | not_stated_beside(stated)
        if not has_no_axis[i]:
            closed |= set(_AXES[:2])
        if not stated & _SINUS or stated & _UNEVEN:
            closed.add("sinus-arrhythmia")
        for name in TAKEN:
            if name in closed:
                continue
            verdict, is_normal = sure[name][i], "normal-ecg" in stated
            if verdict == 1 and (name in _ONLY_DENIED or (is_normal and name in _NOT_OF_NORMAL)):
                verdict = np.nan
            row[index[name]] = verdict
            if verdict == 1:
                row[[index[a] for a in vocabulary.ancestors[name] if row[index[a]] == 0]] = np.nan
    return out


def _end_of_t(
    beat: NDArray[np.float64],
    start: NDArray[np.intp],
    next_p: NDArray[np.float64],
    shortest: int,
) -> NDArray[np.float64]:
    """Return the sample where T ends, shape (N,), NaN where it has no room before the next P.

    Source: Lepeschkin and Surawicz, Circulation 6:378 (1952), on the tangent.
    """
    size = np.sqrt((beat**2).sum(axis=1))  # (N, W)
    sample, rows = np.arange(size.shape[-1]), np.arange(len(size))
    stop = np.minimum(next_p, size.shape[-1] - 1)
    inside = (sample >= start[:, None]) & (sample < stop[:, None])
    peak = np.where(inside, size, -1).argmax(axis=-1)
    change = np.diff(size, axis=-1, append=size[:, -1:])
    steepest = np.where(inside & (sample >= peak[:, None]), change, 0).argmin(axis=-1)
    fall = -change[rows, steepest]
    is_found = (stop - start >= shortest) & (fall > 0)
    middle = size[rows, steepest] - fall / 2
    end = steepest + 0.5 + middle / np.where(is_found, fall, 1)
    return np.where(is_found, end, np.nan)


def _mean_beats(
    signals: NDArray[np.float32], fs: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return mean beats (N, 12, W), and of RR intervals mean, 1 s where unknown, and range (N,)."""
    beats, rr_s, rr_range_s = [], [], []
    for start in range(0, len(signals), _CHUNK):
        x = torch.from_numpy(np.ascontiguousarray(signals[start : start + _CHUNK]))
        with torch.inference_mode():
            mean, is_beat, alike = mean_beat(x, fs)
        beats.append(mean.numpy().astype(np.float64))
        for places, likeness in zip(is_beat.numpy(), alike.numpy(), strict=True):
            at = np.flatnonzero(places)
            rr = np.diff(at) / fs
            rr_s.append(rr.mean() if len(rr) else 1.0)
            is_even = len(rr) > 2 and (likeness[at[1:-1]] >= _ODD).all()
            rr_range_s.append(np.ptp(rr) if is_even else np.nan)
    return np.concatenate(beats), np.array(rr_s), np.array(rr_range_s)
