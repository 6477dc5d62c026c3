"""Signal quality: explicit checks with their values and limits, a score, and one verdict.

The score is a logistic regression on four of the values, fitted to the 499 labelled recordings of
one half of the training set A of the PhysioNet/CinC Challenge 2011 (Silva 2011): worst and second
worst agreement of a lead's beats with its own median beat, flat share, largest voltage. The other
limits are beyond what 95 % of the acceptable recordings of that set show.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d
from scipy.signal import butter, resample_poly, sosfiltfilt

from merl_core.records import Record

ANALYSIS_FS = 250.0
MAX_ANALYSED_S = 300.0
MIN_DURATION_S = 2.0
_WANDER_HZ, _NOISE_HZ = 0.7, 35.0
_FLAT_MV = 0.03
"""A second whose values span less than this shows no heart beat."""

SCORE_VALUES = ("worst_agreement", "second_worst_agreement", "flat_share", "log_largest_mv")
_INTERCEPT = -2.02
_WEIGHTS = (2.53, 3.97, -1.97, -0.50)
"""Of the `SCORE_VALUES`."""
ACCEPTABLE_SCORE = 0.5

_LIMITS = {
    "missing_share": 0.2,
    "flat_share": 0.5,
    "clipped_share": 0.05,
    "largest_mv": 20.0,
    "smallest_span_mv": 0.1,
    "mains_share": 0.2,
    "noise_mv": 0.12,
    "wander_mv": 3.0,
    "einthoven_residual_mv": 0.1,
    "beat_agreement": 0.45,
}


@dataclass(frozen=True, slots=True)
class Check:
    """One quality check: what was measured, against which limit, and in which leads it fails."""

    name: str
    ok: bool
    value: float
    limit: float
    leads: tuple[str, ...]
    """Those beyond the limit; empty if the check is not about single leads."""
    message: str


@dataclass(frozen=True, slots=True)
class Quality:
    """The verdict on a recording, and what it rests on."""

    acceptable: bool
    """False: scores for this recording are flagged. It does not say that nothing can be read."""
    score: float
    """Probability, 0 to 1, that a reader would call the recording acceptable."""
    checks: tuple[Check, ...]
    score_values: tuple[float, ...] = ()
    """What the score weighs, in the order of `SCORE_VALUES`; empty if nothing could be measured."""

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that are not met."""
        return tuple(check for check in self.checks if not check.ok)


@dataclass(frozen=True, slots=True)
class _Bands:
    """The signal (L, T) at 250 Hz and its parts; gaps are filled."""

    raw: NDArray[np.float64]
    wander: NDArray[np.float64]
    heart: NDArray[np.float64]
    noise: NDArray[np.float64]


def assess_quality(record: Record) -> Quality:
    """Return the quality checks of a recording, a score, and the verdict.

    Recordings over five minutes are judged by their first five. Missing leads are no quality
    fault; the model names them.

    Args:
        record: Any recording; NaN counts as missing.
    """
    leads = record.leads
    signal = np.asarray(record.signal[:, : int(MAX_ANALYSED_S * record.fs)], np.float64)
    missing = np.isnan(signal).mean(axis=1)
    checks = [
        _lower("duration_s", record.duration_s, MIN_DURATION_S, "recording of {:.1f} s"),
        _upper_by_lead("missing_share", missing, leads, "share of samples not recorded {:.2f}"),
    ]
    if record.duration_s < MIN_DURATION_S or not (missing < 1).any():
        return Quality(False, 0.0, tuple(checks))
    filled = _filled(signal)
    bands = _bands(filled, record.fs)
    beats, median_beats = _median_beats(bands.heart)
    flat, agreement = _flat_share(bands), _beat_agreement(beats, median_beats)
    largest = np.abs(bands.raw).max(axis=1)
    checks += [
        _upper_by_lead("flat_share", flat, leads, "share of time without any beat {:.2f}"),
        _upper_by_lead("clipped_share", _clipped_share(signal), leads, "share clipped {:.2f}"),
        _upper_by_lead("largest_mv", largest, leads, "largest voltage {:.1f} mV"),
        _lower_by_lead("smallest_span_mv", _span(bands), leads, "voltages span only {:.2f} mV"),
        _upper_by_lead("mains_share", _mains_share(filled, record.fs), leads, "mains share {:.2f}"),
        _upper_by_lead("noise_mv", _noise(bands), leads, "noise above 35 Hz {:.3f} mV"),
        _upper_by_lead(
            "wander_mv", np.ptp(bands.wander, axis=1), leads, "baseline moves {:.1f} mV"
        ),
        _lower_by_lead("beat_agreement", agreement, leads, "beats agree with each other {:.2f}"),
        *_limb_lead_checks(bands, median_beats, leads),
    ]
    worst = np.sort(agreement)
    values = (
        float(worst[0]),
        float(worst[min(1, len(worst) - 1)]),
        float(flat.max()),
        math.log(float(np.clip(largest.max(), 0.001, 50))),
    )
    score = _score(values)
    acceptable = score >= ACCEPTABLE_SCORE and all(check.ok for check in checks[:2])
    return Quality(bool(acceptable), score, tuple(checks), values)


def _score(values: Sequence[float]) -> float:
    logit = _INTERCEPT + sum(w * v for w, v in zip(_WEIGHTS, values, strict=True))
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def _bands(filled: NDArray[np.float64], fs: float) -> _Bands:
    ratio = Fraction(ANALYSIS_FS / fs).limit_denominator(2000)
    if ratio != 1:
        filled = resample_poly(filled, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    high_pass, low_pass = _filters()
    padding = min(filled.shape[1] - 1, int(ANALYSIS_FS))
    without_wander = sosfiltfilt(high_pass, filled, axis=1, padlen=padding)
    heart = sosfiltfilt(low_pass, without_wander, axis=1, padlen=padding)
    return _Bands(filled, filled - without_wander, heart, without_wander - heart)


@cache
def _filters() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sections of the filters against wander and noise."""
    return (
        butter(2, _WANDER_HZ, "high", fs=ANALYSIS_FS, output="sos"),
        butter(4, _NOISE_HZ, "low", fs=ANALYSIS_FS, output="sos"),
    )


def _filled(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the signal with gaps bridged by straight lines; a lead without values is zero."""
    filled = signal.copy()
    place = np.arange(signal.shape[1])
    for row in filled:
        known = np.isfinite(row)
        if not known.any():
            row[:] = 0.0
        elif not known.all():
            row[~known] = np.interp(place[~known], place[known], row[known])
    return filled


def _flat_share(bands: _Bands) -> NDArray[np.float64]:
    """Return the share of seconds, one begun at each sample, that span less than a beat.

    Every second holds one of the half seconds that the signal is parted into: a lead whose half
    seconds all span more is flat nowhere, and need not be searched.
    """
    width = int(ANALYSIS_FS)
    n_halves = bands.raw.shape[1] // (width // 2)
    halves = bands.raw[:, : n_halves * (width // 2)].reshape(len(bands.raw), n_halves, -1)
    shares = np.zeros(len(bands.raw))
    for i in np.flatnonzero((np.ptp(halves, axis=2) < _FLAT_MV).any(axis=1)):
        row = bands.raw[i]
        moving = maximum_filter1d(row, width) - minimum_filter1d(row, width)
        shares[i] = (moving[width // 2 : -(width // 2)] < _FLAT_MV).mean()
    return shares


def _clipped_share(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of samples in runs of four or more at a lead's largest or smallest value."""
    shares = np.zeros(len(signal))
    for i, row in enumerate(signal):
        values = row[np.isfinite(row)]
        if values.size < 5 or np.ptp(values) < 0.5:
            continue
        for extreme in (values.max(), values.min()):
            at_extreme = values == extreme
            if np.count_nonzero(at_extreme) < 2:
                continue
            runs = uniform_filter1d(at_extreme.astype(np.float64), 4) > 0.99
            shares[i] += 4 * runs.mean() if runs.any() else 0.0
    return np.minimum(shares, 1.0)


def _span(bands: _Bands) -> NDArray[np.float64]:
    low, high = np.percentile(bands.heart, (1, 99), axis=1)
    return np.asarray(high - low)


def _mains_share(filled: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Return the power near 50 or 60 Hz as a share of that between 1 and 100 Hz."""
    if fs < 130:
        return np.zeros(len(filled))
    hz = np.fft.rfftfreq(filled.shape[1], 1 / fs)
    hz = hz[hz <= 100]
    power = np.abs(np.fft.rfft(filled, axis=1)[:, : len(hz)]) ** 2
    total = power[:, (hz >= 1) & (hz <= min(100, fs / 2))].sum(axis=1)
    bands = [power[:, np.abs(hz - mains) <= 1].sum(axis=1) for mains in (50, 60)]
    return np.asarray(np.max(bands, axis=0) / np.maximum(total, 1e-12))


def _noise(bands: _Bands) -> NDArray[np.float64]:
    """Return the median over seconds of the deviation above 35 Hz."""
    second = int(ANALYSIS_FS)
    n_seconds = bands.noise.shape[1] // second
    seconds = bands.noise[:, : n_seconds * second].reshape(len(bands.noise), n_seconds, second)
    return np.asarray(np.median(seconds.std(axis=2), axis=1))


def _beats(heart: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return where beats are: peaks of the leads' joint slope, each lead scaled by its own."""
    slope = np.diff(heart, axis=1)
    slope = slope / np.maximum(np.median(np.abs(slope), axis=1, keepdims=True), 1e-3)
    energy = np.sqrt((np.clip(slope, -50, 50) ** 2).mean(axis=0))
    energy = uniform_filter1d(energy, int(0.1 * ANALYSIS_FS))
    width = 2 * int(0.25 * ANALYSIS_FS) + 1
    peaks = np.flatnonzero(energy == maximum_filter1d(energy, width))
    return peaks[energy[peaks] > 0.35 * np.percentile(energy[peaks], 75)] if peaks.size else peaks


def _median_beats(heart: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return all beats (L, B, 0.6 s), zero mean, and each lead's median beat (L, 0.6 s)."""
    half = int(0.3 * ANALYSIS_FS)
    beats = _beats(heart)
    beats = beats[(beats > half) & (beats < heart.shape[1] - half)]
    if beats.size < 3:
        return np.zeros((len(heart), 0, 2 * half)), np.zeros((len(heart), 2 * half))
    cut = np.stack([heart[:, beat - half : beat + half] for beat in beats], axis=1)
    cut = cut - cut.mean(axis=2, keepdims=True)
    return cut, np.median(cut, axis=1)


def _beat_agreement(beats: NDArray[np.float64], median: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each lead the median correlation of its beats with its median beat."""
    if not beats.shape[1]:
        return np.zeros(len(median))
    norm = (beats**2).sum(axis=2) * (median**2).sum(axis=1)[:, None]
    correlation = np.einsum("lbt,lt->lb", beats, median) / np.sqrt(norm + 1e-9)
    return np.asarray(np.median(correlation, axis=1))


def _limb_lead_checks(
    bands: _Bands, median: NDArray[np.float64], leads: Sequence[str]
) -> list[Check]:
    """Return the checks of limb leads against each other; none if leads are missing."""
    row = {lead: i for i, lead in enumerate(leads)}
    checks = []
    if {"I", "II", "III"} <= set(row):
        joint = bands.heart[row["I"]] + bands.heart[row["III"]] - bands.heart[row["II"]]
        residual, limit = float(joint.std()), _LIMITS["einthoven_residual_mv"]
        message = f"I + III differs from II by {residual:.2f} mV"
        checks.append(
            Check("einthoven_residual_mv", residual <= limit, residual, limit, (), message)
        )
    if {"I", "II", "V6"} <= set(row):
        first, second, lateral = (median[row[lead]] for lead in ("I", "II", "V6"))
        agreement = _correlation(first, lateral)
        average = _correlation(-(first + second), lateral)
        suspect = agreement < -0.6 and average > 0.3
        message = (
            "lead I mirrors V6 and aVR does not: arm electrodes may be swapped"
            if suspect
            else f"lead I and V6 agree {agreement:.2f}"
        )
        checks.append(Check("limb_lead_reversal", not suspect, agreement, -0.6, (), message))
    return checks


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def _lower(name: str, value: float, limit: float, message: str) -> Check:
    return Check(name, value >= limit, float(value), limit, (), message.format(value))


def _upper_by_lead(
    name: str, values: NDArray[np.float64], leads: Sequence[str], message: str
) -> Check:
    limit = _LIMITS[name]
    beyond = tuple(lead for lead, value in zip(leads, values, strict=True) if value > limit)
    worst = float(values.max())
    return Check(name, not beyond, worst, limit, beyond, message.format(worst))


def _lower_by_lead(
    name: str, values: NDArray[np.float64], leads: Sequence[str], message: str
) -> Check:
    limit = _LIMITS[name]
    beyond = tuple(lead for lead, value in zip(leads, values, strict=True) if value < limit)
    worst = float(values.min())
    return Check(name, not beyond, worst, limit, beyond, message.format(worst))
