"""Arrays by name, as NPZ, MAT and HDF5 files hold them: which is the ECG, which tell about it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings
from merl_core.readers.tables import Table, table_to_record, with_units
from merl_core.records import STANDARD_LEADS, Record, canonical_lead

_SIGNAL_KEYS = ("ecg", "signal", "signals", "p_signal", "val", "data", "tracings", "x", "waveform")
_RATE_KEYS = (
    "fs", "sampling_rate", "sampling_frequency", "samplingrate", "sample_rate", "samplerate",
    "sfreq", "fsample", "frequency", "freq", "hz", "rate", "samp_freq", "sampling_freq",
)  # fmt: skip
_LEAD_KEYS = (
    "leads", "lead_names", "leadnames", "lead", "sig_name", "channels", "channel_names",
    "ch_names", "names", "labels", "lead_order", "block0_items", "axis0",
)  # fmt: skip
_UNIT_KEYS = ("units", "unit", "sig_units")
_GAIN_KEYS = ("gain", "adc_gain", "units_per_mv")
_BASELINE_KEYS = ("baseline", "adc_zero", "adczero")
_AGE_KEYS = ("age", "age_years")
_SEX_KEYS = ("sex", "gender")
_CODE_LENGTH, _CODE_FS = 4096, 400.0
"""Tracings of the CODE study (Ribeiro 2020): 400 Hz, zeros before and after to 4096 samples."""
_CPSC_FIELDS, _CPSC_FS = {"ecg/sex", "ecg/age", "ecg/data"}, 500.0
"""Recordings as the makers of CPSC2018 publish them (Liu 2018): 500 Hz, which no field says."""


def named_arrays_to_record(
    arrays: Mapping[str, Any], format_name: str, findings: Findings, hint: str = ""
) -> Record:
    """Return the recording among arrays, scalars and texts by name.

    Names are compared by their last part (`a/b/fs` is `fs`) without case. The signal is the array
    of a usual name, else the largest; or one array a lead.

    Raises:
        InvalidRecordError: No array is a recording, several are, or as `table_to_record`.
    """
    flat = {path: value for path, value in arrays.items() if value is not None}
    by_key = {path.replace("\\", "/").rpartition("/")[2].lower(): v for path, v in flat.items()}
    names = _texts(_first(by_key, _LEAD_KEYS))
    fs = _scalar(_first(by_key, _RATE_KEYS))
    units = _texts(_first(by_key, _UNIT_KEYS))
    unit = next(iter(units), "")
    signal, own_names = _signal(flat)
    if own_names:
        names = own_names
    if len(names) not in signal.shape:
        names = []
    is_code = fs is None and sorted(signal.shape) == [12, _CODE_LENGTH]
    if is_code:
        findings.warn("rate_assumed", "4096 samples without a rate: 400 Hz, as the CODE study")
        signal, fs = _without_zero_padding(signal, findings), _CODE_FS
    if fs is None and {path.lower() for path in flat} == _CPSC_FIELDS and 12 in signal.shape:
        findings.warn(
            "rate_assumed", "ECG of sex, age and data without a rate: 500 Hz, as CPSC2018"
        )
        fs = _CPSC_FS
    gain = _per_lead(_first(by_key, _GAIN_KEYS), signal)
    if gain is not None and gain.all() and not unit and signal.dtype.kind in "iu":
        baseline = _per_lead(_first(by_key, _BASELINE_KEYS), signal)
        message = f"whole numbers read as {gain.ravel()[0]:g} units per mV, as `gain` says"
        findings.warn("gain_applied", message)
        signal, unit = (signal - (0.0 if baseline is None else baseline)) / gain, "mV"
    if len(set(units)) > 1 and len(units) == len(names):
        names = with_units(names, units)
    table = Table(signal, names, fs, unit)
    record = table_to_record(table, format_name, findings, hint)
    age = _scalar(_first(by_key, _AGE_KEYS))
    sex = next(iter(_texts(_first(by_key, _SEX_KEYS))), "")[:1].upper()
    return replace(
        record,
        age_years=age if age is not None and 0 <= age <= 130 else None,
        sex=sex if sex in ("F", "M") else None,
    )


def fields_of(array: NDArray[Any], prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return the columns of a structured array by name."""
    return {f"{prefix}{name}": array[name].ravel() for name in array.dtype.names or ()}


def _first(values: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((values[key] for key in keys if key in values), None)


def _signal(arrays: Mapping[str, Any]) -> tuple[NDArray[Any], list[str]]:
    """Return the array of two axes that is the ECG, and lead names if each lead is its own."""
    numeric = {p: a for p, v in arrays.items() if (a := _numeric(v)) is not None}
    leads = {
        canonical_lead(path.rpartition("/")[2]): array
        for path, array in numeric.items()
        if canonical_lead(path.rpartition("/")[2]) in STANDARD_LEADS and array.size > 1
    }
    lengths = {array.size for array in leads.values()}
    if len(leads) >= 2 and len(lengths) == 1:
        return np.stack([array.ravel() for array in leads.values()]), list(leads)
    tables = {path: array for path, array in numeric.items() if min(array.shape, default=0) >= 2}
    if not tables:
        msg = f"no array with two axes among {sorted(arrays)[:8]}"
        raise InvalidRecordError(msg, code="no_signal")
    named = [p for k in _SIGNAL_KEYS for p in tables if p.rpartition("/")[2].lower() == k]
    path = named[0] if named else max(tables, key=lambda p: tables[p].size)
    array = tables[path]
    if array.ndim == 1:
        msg = f"array {path!r} is one signal of {array.size} samples; name its lead, or send twelve"
        raise InvalidRecordError(msg, code="unknown_leads")
    if array.ndim != 2:
        msg = f"array {path!r} of shape {array.shape} holds several recordings; send one"
        raise InvalidRecordError(msg, code="several_records")
    return array, []


def _numeric(value: Any) -> NDArray[Any] | None:
    """Return an array of numbers without axes of length one; None for anything else."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or value.size < 2:
        return None
    return np.squeeze(value)


def _scalar(value: Any) -> float | None:
    array = np.asarray(value) if value is not None else np.empty(0)
    if array.size != 1 or array.dtype.kind not in "iuf":
        return None
    number = float(array.ravel()[0])
    return number if np.isfinite(number) else None


def _per_lead(value: Any, signal: NDArray[Any]) -> NDArray[np.float64] | None:
    """Return one number, or one a lead shaped to broadcast over the signal; None for others."""
    array = np.asarray(value) if value is not None else np.empty(0)
    if array.dtype.kind not in "iuf" or array.size not in (1, min(signal.shape)):
        return None
    numbers = array.astype(np.float64).ravel()
    if numbers.size == 1 or not np.isfinite(numbers).all():
        return numbers if np.isfinite(numbers).all() else None
    return numbers[:, None] if len(signal) == numbers.size else numbers


def _texts(value: Any) -> list[str]:
    """Return the texts in a string, a list, or an array of strings (cells of MATLAB included)."""
    if value is None:
        return []
    if isinstance(value, str | bytes):
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        return [word.strip() for word in text.split(",")] if text.strip() else []
    array = np.asarray(value)
    if array.dtype.kind not in "OUS" or array.size > 1000:
        return []
    words: list[str] = []
    for item in array.ravel():
        inner = item.ravel()[0] if isinstance(item, np.ndarray) and item.size == 1 else item
        words += _texts(inner) if isinstance(inner, str | bytes) else []
    return words


def _without_zero_padding(signal: NDArray[Any], findings: Findings) -> NDArray[Any]:
    time_axis = int(np.argmax(signal.shape))
    recorded = np.flatnonzero(np.any(signal != 0, axis=1 - time_axis))
    if not recorded.size or recorded[-1] - recorded[0] + 1 == signal.shape[time_axis]:
        return signal
    kept = slice(int(recorded[0]), int(recorded[-1]) + 1)
    cut = signal.shape[time_axis] - (kept.stop - kept.start)
    findings.warn("padding_value", f"{cut} samples of zeros in all leads at the ends were cut off")
    return signal[kept] if time_axis == 0 else signal[:, kept]
