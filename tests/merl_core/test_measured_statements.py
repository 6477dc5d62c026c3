from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from merl_core.criteria import criteria_met
from merl_core.measured_statements import (
    Verdicts,
    add_measured,
    measure_mean_beats,
    sure_statements,
)
from merl_core.preprocess import bandpass
from merl_core.simulate import SimulatedBatch, simulate
from merl_core.targets import Targets, Vocabulary, load_vocabulary

FS = 100.0
N = 40


@cache
def simulated(*findings: str) -> SimulatedBatch:
    return simulate([findings] * N, n_records=N, fs=FS, seed=9)


def filtered(batch: SimulatedBatch) -> NDArray[np.float32]:
    return bandpass(batch.signals, FS).astype(np.float32)


def verdicts_on(batch: SimulatedBatch, *, has_voltage: bool = True) -> Verdicts:
    return sure_statements(filtered(batch), np.full(N, has_voltage), FS)


def true_statements(batch: SimulatedBatch) -> dict[str, NDArray[np.bool_]]:
    female = np.array([sex == "F" for sex in batch.sexes])
    return criteria_met(batch.measurements, np.asarray(batch.ages), female)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def test_amplitudes_and_axis_of_the_mean_beat_are_those_that_were_simulated() -> None:
    batch = simulated("sinus-rhythm", "left-ventricular-hypertrophy")
    measured = measure_mean_beats(filtered(batch), FS)
    for name, tolerance in (("r_mv", 0.1), ("s_mv", 0.1), ("t_mv", 0.05)):
        error = np.abs(measured[name] - batch.measurements[name])
        assert np.median(error) < tolerance, name
    for name in ("qrs_axis_deg", "area_axis_deg"):
        turned = measured[name] - batch.measurements["qrs_axis_deg"]
        assert np.median(np.abs((turned + 180) % 360 - 180)) < 10, name


def test_qtc_is_that_which_was_simulated() -> None:
    for findings in (("normal-ecg",), ("sinus-rhythm", "prolonged-qt-interval")):
        batch = simulated(*findings)
        error = measure_mean_beats(filtered(batch), FS)["qtc_ms"] - batch.measurements["qtc_ms"]
        assert np.isnan(error).mean() < 0.2
        assert np.abs(np.nanmedian(error)) < 10
        assert np.nanmedian(np.abs(error)) < 15


def test_a_fast_heart_leaves_no_room_to_measure_qt() -> None:
    fast = simulated("supraventricular-tachycardia")
    assert np.isnan(measure_mean_beats(filtered(fast), FS)["qtc_ms"]).all()


def test_rr_intervals_are_not_compared_across_premature_beats() -> None:
    early = measure_mean_beats(filtered(simulated("ventricular-bigeminy")), FS)["rr_range_s"]
    even = measure_mean_beats(filtered(simulated("normal-ecg")), FS)["rr_range_s"]
    assert np.isnan(early).mean() > 0.8
    assert np.isnan(even).mean() < 0.1


def test_sinus_arrhythmia_is_read_off_the_rr_intervals() -> None:
    uneven = verdicts_on(simulated("sinus-arrhythmia"))["sinus-arrhythmia"]
    assert np.mean(uneven == 1) > 0.6
    assert np.mean(uneven == 0) < 0.1


@pytest.mark.parametrize(
    "finding",
    [
        "left-axis-deviation",
        "right-axis-deviation",
        "low-qrs-voltage",
        "t-wave-inversion",
        "clockwise-rotation",
        "counterclockwise-rotation",
        "poor-r-wave-progression",
    ],
)
def test_verdicts_agree_with_the_criteria_on_what_was_simulated(finding: str) -> None:
    batches = [simulated(finding, "sinus-rhythm"), simulated("normal-ecg")]
    truth = np.concatenate([true_statements(batch)[finding] for batch in batches])
    said = np.concatenate([verdicts_on(batch)[finding] for batch in batches])
    assert truth.sum() >= 10
    assert np.mean(said[truth] == 1) > 0.5
    assert np.mean(said[truth] == 0) < 0.1
    assert np.mean(said[~truth] == 0) > 0.6
    assert np.mean(said[~truth] == 1) < 0.1


def test_where_voltage_is_lost_low_voltage_is_never_sure_and_the_axis_is() -> None:
    lost = verdicts_on(simulated("right-axis-deviation", "sinus-rhythm"), has_voltage=False)
    assert not (lost["low-qrs-voltage"] == 1).any()
    assert np.isnan(lost["low-qrs-voltage"]).any()
    assert np.mean(lost["right-axis-deviation"] == 1) > 0.5


def test_verdicts_of_recordings_with_and_without_voltage_stay_in_their_rows() -> None:
    signals = filtered(simulated("low-qrs-voltage", "sinus-rhythm"))
    has_voltage = np.arange(N) % 2 == 0
    mixed = sure_statements(signals, has_voltage, FS)["low-qrs-voltage"]
    alone = sure_statements(signals[::2], np.ones(N // 2, bool), FS)["low-qrs-voltage"]
    np.testing.assert_array_equal(mixed[::2], alone)
    assert not (mixed[1::2] == 1).any()


def test_nothing_is_said_of_a_recording_without_a_beat() -> None:
    flat = sure_statements(np.zeros((2, 12, 1000), np.float32), np.ones(2, bool), FS)
    assert all(np.isnan(column).all() for column in flat.values())


def one_target(vocabulary: Vocabulary, **stated: float) -> Targets:
    """Targets of one recording: no axis known, no T inversion stated."""
    targets = np.full((1, len(vocabulary)), np.nan, np.float32)
    known = {"low-qrs-voltage": 0.0, "t-wave-inversion": 0.0, "abnormal-qrs": 0.0}
    for name, value in (known | {k.replace("_", "-"): v for k, v in stated.items()}).items():
        targets[0, vocabulary.index[name]] = value
    return targets


def said(vocabulary: Vocabulary, targets: Targets, **yes: float) -> dict[str, float]:
    """What stands in the targets after a ruler said this, and no to all else."""
    names = criteria_names()
    sure = {name: np.array([yes.get(name.replace("-", "_"), 0.0)], np.float32) for name in names}
    row = add_measured(targets, sure, vocabulary)[0]
    return {name: float(row[column]) for name, column in vocabulary.index.items()}


def criteria_names() -> list[str]:
    return list(sure_statements(np.zeros((1, 12, 1000), np.float32), np.ones(1, bool), FS))


def test_an_axis_that_nobody_stated_is_measured(vocabulary: Vocabulary) -> None:
    found = said(vocabulary, one_target(vocabulary), right_axis_deviation=1)
    assert found["right-axis-deviation"] == 1
    assert found["left-axis-deviation"] == 0
    assert found["normal-axis"] == 0
    assert said(vocabulary, one_target(vocabulary))["normal-axis"] == 1


def test_an_axis_that_may_be_read_either_way_is_unknown(vocabulary: Vocabulary) -> None:
    found = said(vocabulary, one_target(vocabulary), left_axis_deviation=np.nan)
    assert np.isnan(found["left-axis-deviation"])
    assert np.isnan(found["normal-axis"])


def test_what_annotators_state_stays(vocabulary: Vocabulary) -> None:
    targets = one_target(
        vocabulary, left_axis_deviation=1, right_axis_deviation=0, low_qrs_voltage=1
    )
    found = said(vocabulary, targets, right_axis_deviation=1)
    assert found["left-axis-deviation"] == 1
    assert found["right-axis-deviation"] == 0
    assert found["low-qrs-voltage"] == 1


def test_a_measured_finding_makes_what_is_above_it_unknown(vocabulary: Vocabulary) -> None:
    found = said(vocabulary, one_target(vocabulary), low_qrs_voltage=1)
    assert found["low-qrs-voltage"] == 1
    assert np.isnan(found["abnormal-qrs"])


def test_an_inverted_t_wave_of_an_ecg_called_normal_is_unknown(vocabulary: Vocabulary) -> None:
    assert said(vocabulary, one_target(vocabulary), t_wave_inversion=1)["t-wave-inversion"] == 1
    normal = one_target(vocabulary, normal_ecg=1)
    assert np.isnan(said(vocabulary, normal, t_wave_inversion=1)["t-wave-inversion"])


def test_a_bundle_branch_block_explains_an_inverted_t_wave(vocabulary: Vocabulary) -> None:
    blocked = one_target(vocabulary, complete_left_bundle_branch_block=1)
    assert said(vocabulary, blocked, t_wave_inversion=1)["t-wave-inversion"] == 0


def test_a_long_qt_interval_is_at_best_unknown(vocabulary: Vocabulary) -> None:
    silent = one_target(vocabulary, prolonged_qt_interval=0)
    assert np.isnan(said(vocabulary, silent, prolonged_qt_interval=1)["prolonged-qt-interval"])
    assert said(vocabulary, silent)["prolonged-qt-interval"] == 0


@pytest.mark.parametrize(
    ("rhythm", "shown"),
    [
        ({"sinus_rhythm": 1.0}, 1.0),
        ({"sinus_rhythm": 1.0, "premature_complex": 1.0}, 0.0),
        ({"atrial_fibrillation": 1.0}, 0.0),
    ],
)
def test_uneven_beats_are_sinus_arrhythmia_in_a_plain_sinus_rhythm_alone(
    vocabulary: Vocabulary, rhythm: dict[str, float], shown: float
) -> None:
    silent = one_target(vocabulary, sinus_arrhythmia=0, **rhythm)
    assert said(vocabulary, silent, sinus_arrhythmia=1)["sinus-arrhythmia"] == shown
