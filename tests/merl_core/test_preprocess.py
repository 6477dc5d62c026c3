import numpy as np
import pytest

from merl_core.errors import InvalidRecordError
from merl_core.preprocess import bandpass, merl_minmax, prepare, resample
from merl_core.records import STANDARD_LEADS, Record


def wave(fs: float, seconds: float = 10.0, n_leads: int = 12) -> np.ndarray:
    """Twelve leads that obey Einthoven's law."""
    t = np.arange(round(fs * seconds)) / fs
    one, two = np.sin(2 * np.pi * 3 * t), 0.7 * np.sin(2 * np.pi * 5 * t + 1)
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    chest = [np.sin(2 * np.pi * (2 + i) * t) for i in range(6)]
    return np.stack(limb + chest)[:n_leads].astype(np.float32)


def record(
    fs: float = 100.0, seconds: float = 10.0, leads: tuple[str, ...] = STANDARD_LEADS
) -> Record:
    rows = [STANDARD_LEADS.index(lead) for lead in leads]
    return Record(signal=wave(fs, seconds)[rows], leads=leads, fs=fs)


def ready(one: Record) -> np.ndarray:
    return prepare(one, STANDARD_LEADS, 100.0, 10.0)[0]


def codes(one: Record) -> set[str]:
    return {w.code for w in prepare(one, STANDARD_LEADS, 100.0, 10.0)[1]}


def test_a_clean_recording_passes_without_warnings() -> None:
    assert ready(record()).shape == (1, 12, 1000)
    assert codes(record()) == set()


def test_lead_order_of_the_file_changes_nothing() -> None:
    shuffled = STANDARD_LEADS[::-1]
    np.testing.assert_array_equal(ready(record(leads=shuffled)), ready(record()))


def test_eight_leads_give_the_same_input_as_twelve() -> None:
    eight = record(leads=("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))
    np.testing.assert_allclose(ready(eight), ready(record()), atol=1e-5)
    assert codes(eight) == {"leads_derived"}


def test_any_two_limb_leads_give_the_others() -> None:
    two = record(leads=("aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"))
    np.testing.assert_allclose(ready(two), ready(record()), atol=1e-5)


def test_a_missing_chest_lead_is_refused_by_name() -> None:
    with pytest.raises(InvalidRecordError, match="'V3' missing") as caught:
        ready(record(leads=tuple(lead for lead in STANDARD_LEADS if lead != "V3")))
    assert caught.value.code == "missing_lead"


@pytest.mark.parametrize("fs", [100.0, 250.0, 257.5, 500.0, 1000.0])
def test_every_rate_gives_nearly_the_same_input(fs: float) -> None:
    middle = slice(200, 800)
    np.testing.assert_allclose(
        ready(record(fs))[..., middle], ready(record(1000.0))[..., middle], atol=0.02
    )


def test_wander_and_offset_are_removed() -> None:
    one = record()
    t = np.arange(1000) / 100
    drifting = Record(
        one.signal + 5 + np.sin(2 * np.pi * 0.05 * t, dtype=np.float32), one.leads, 100
    )
    middle = slice(200, 800)
    np.testing.assert_allclose(ready(drifting)[..., middle], ready(one)[..., middle], atol=0.05)


def test_filtering_leaves_no_delay() -> None:
    signal = np.zeros(1000, dtype=np.float32)
    signal[495:506] = np.hanning(11)
    assert abs(int(np.argmax(bandpass(signal, 100.0))) - 500) <= 1


def test_the_ends_are_not_pulled_to_zero_by_resampling() -> None:
    flat = np.full((1, 5000), 3.0, dtype=np.float32)
    np.testing.assert_allclose(resample(flat, 500.0, 100.0), 3.0, atol=1e-3)


def test_short_gaps_are_interpolated_and_named() -> None:
    one = record(500.0)
    one.signal[3, 1000:1020] = np.nan
    warning, _ = prepare(one, STANDARD_LEADS, 100.0, 10.0)[1]
    assert warning.code == "gaps_interpolated"
    assert "aVR" in warning.message
    np.testing.assert_allclose(ready(one), ready(record(500.0)), atol=0.1)


def test_another_rate_than_the_models_is_named() -> None:
    (warning,) = prepare(record(500.0), STANDARD_LEADS, 100.0, 10.0)[1]
    assert warning.code == "resampled"
    assert warning.message == "500 samples per second brought to the model's 100"
    assert prepare(record(100.0), STANDARD_LEADS, 100.0, 10.0)[1] == ()


def test_a_long_gap_is_refused_with_lead_and_sample() -> None:
    one = record(500.0)
    one.signal[7, 1000:2000] = np.nan
    with pytest.raises(InvalidRecordError, match=r"'V2' has no values for 2.00 s from sample 1000"):
        ready(one)


def test_a_recording_without_any_signal_is_refused() -> None:
    one = Record(np.zeros((12, 1000), np.float32), STANDARD_LEADS, 100.0)
    with pytest.raises(InvalidRecordError, match="nothing was recorded") as caught:
        ready(one)
    assert caught.value.code == "unusable_signal"


def test_too_short_a_recording_is_refused() -> None:
    with pytest.raises(InvalidRecordError, match=r"2.00 s is too short"):
        ready(record(seconds=2.0))


def test_a_short_recording_is_centred_in_zeros() -> None:
    windows = ready(record(seconds=6.0))
    assert windows.shape == (1, 12, 1000)
    assert not windows[..., :200].any()
    assert not windows[..., 800:].any()
    assert codes(record(seconds=6.0)) == {"padded"}


def test_blank_ends_are_cut_off() -> None:
    one = record(seconds=8.0)
    padded = Record(np.pad(one.signal, ((0, 0), (0, 200))), one.leads, 100.0)
    assert "blank_ends_trimmed" in codes(padded)
    np.testing.assert_array_equal(ready(padded), ready(one))


@pytest.mark.parametrize(("factor", "n"), [(1000.0, 1), (0.001, 1), (1.0, 0)])
def test_implausible_amplitudes_are_pointed_out(factor: float, n: int) -> None:
    one = record()
    scaled = Record(one.signal * np.float32(factor), one.leads, 100.0)
    assert len(codes(scaled) & {"implausible_amplitude"}) == n


def test_swapped_limb_leads_are_pointed_out() -> None:
    one = record()
    swapped = one.signal.copy()
    swapped[[4, 5]] = swapped[[5, 4]]
    assert codes(Record(swapped, one.leads, 100.0)) == {"limb_leads_inconsistent"}


def test_minmax_spans_zero_to_one_over_all_leads() -> None:
    scaled = merl_minmax(wave(100.0))
    assert scaled.min() == 0
    assert scaled.max() == pytest.approx(1)
