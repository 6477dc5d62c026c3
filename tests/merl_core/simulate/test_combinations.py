"""What hospitals see together is drawn together, and stays true when it is."""

from itertools import combinations

import numpy as np
import pytest

from merl_core.simulate import SimulatedBatch, sample_findings, simulate
from merl_core.simulate.beats import Plan
from merl_core.simulate.findings import conflicting
from merl_core.simulate.rhythm_plans import ectopy

N = 40


@pytest.fixture(scope="module")
def drawn() -> SimulatedBatch:
    return simulate(None, n_records=4000, seed=21)


def together(*findings: str) -> SimulatedBatch:
    return simulate([findings] * N, n_records=N, fs=250, seed=9, noise_level=0.0)


def stating(batch: SimulatedBatch, finding: str) -> np.ndarray:
    return np.array([finding in one for one in batch.findings])


@pytest.mark.parametrize(
    "other",
    [
        "left-ventricular-hypertrophy",
        "old-anterior-myocardial-infarction",
        "inferior-myocardial-infarction",
    ],
)
def test_a_complete_bundle_branch_block_is_wide_beside_anything_else(other: str) -> None:
    batch = together("complete-right-bundle-branch-block", other)
    assert (batch.measurements["qrs_ms"] > 120).all()


@pytest.mark.parametrize(
    ("finding", "measure", "low", "high"),
    [
        ("first-degree-av-block", "pr_ms", 200, 400),
        ("short-pr-interval", "pr_ms", 0, 120),
        ("complete-right-bundle-branch-block", "qrs_ms", 120, 250),
        ("complete-left-bundle-branch-block", "qrs_ms", 120, 250),
        ("prolonged-qt-interval", "qtc_ms", 450, 700),
        ("short-qt-interval", "qtc_ms", 200, 352),
        ("supraventricular-tachycardia", "heart_rate_bpm", 100, 250),
    ],
)
def test_nothing_is_stated_that_the_measures_contradict(
    drawn: SimulatedBatch, finding: str, measure: str, low: float, high: float
) -> None:
    values = drawn.measurements[measure][stating(drawn, finding)]
    assert len(values) > 10
    assert ((values > low) & (values < high)).all()


def test_a_first_degree_block_may_come_with_a_fast_sinus_rhythm() -> None:
    m = together("sinus-tachycardia", "first-degree-av-block").measurements
    assert (m["pr_ms"] > 200).all()
    assert (m["heart_rate_bpm"] > 99).all()


def test_premature_beats_leave_a_sinus_arrhythmia_irregular() -> None:
    uneven, even = (Plan(70, 0.16, variability=v) for v in (0.09, 0.05))
    for plan in (uneven, even):
        ectopy("pvc")(plan, np.random.default_rng(0))
    assert uneven.variability == 0.09
    assert even.variability <= 0.03
    batch = together("sinus-arrhythmia", "ventricular-premature-complex")
    assert stating(batch, "sinus-arrhythmia").all()
    assert stating(batch, "ventricular-premature-complex").all()


def test_a_plain_sinus_rhythm_that_varies_enough_is_stated_as_an_arrhythmia(
    drawn: SimulatedBatch,
) -> None:
    uneven = drawn.measurements["rr_range_s"] > 0.12
    assert uneven.sum() > 50
    assert stating(drawn, "sinus-arrhythmia")[uneven].all()


def test_right_bundle_and_left_posterior_block_together_are_a_bifascicular_block() -> None:
    batch = together("complete-right-bundle-branch-block", "left-posterior-fascicular-block")
    assert stating(batch, "bifascicular-block").all()
    assert not stating(batch, "left-anterior-fascicular-block").any()
    assert (batch.measurements["qrs_axis_deg"] > 85).all()
    assert (batch.measurements["r_mv"][:, 6] > batch.measurements["s_mv"][:, 6]).mean() > 0.9


def test_an_infarction_of_two_walls_shows_in_both() -> None:
    batch = together("inferior-myocardial-infarction", "anteroseptal-myocardial-infarction")
    q = batch.measurements["q_mv"]
    assert np.mean(q[:, [2, 5]].max(axis=1) > 0.1) > 0.8
    assert np.mean(batch.measurements["r_mv"][:, 8] < 0.4) > 0.8


def test_stimulated_ventricles_under_fibrillating_atria_are_stated_with_them() -> None:
    batch = together("ventricular-paced-rhythm")
    fibrillates = stating(batch, "atrial-fibrillation")
    assert 0 < fibrillates.sum() < N
    assert stating(batch, "ventricular-paced-rhythm").all()


def test_a_u_wave_slows_a_rhythm_and_leaves_it_what_it_is() -> None:
    batch = together("u-wave", "sinus-pause")
    assert stating(batch, "sinus-pause").all()
    one = together("u-wave", "third-degree-av-block").measurements["heart_rate_bpm"]
    assert ((one > 25) & (one < 56)).all()
    assert (together("u-wave").measurements["heart_rate_bpm"] < 75).all()


def test_a_pattern_of_pulmonary_embolism_is_fast() -> None:
    assert (together("pulmonary-embolism-pattern").measurements["heart_rate_bpm"] > 95).all()


@pytest.mark.parametrize(
    ("pattern", "rhythm"),
    [
        ("u-wave", "sinus-tachycardia"),
        ("osborn-wave", "sinus-tachycardia"),
        ("pulmonary-embolism-pattern", "sinus-bradycardia"),
        ("pulmonary-embolism-pattern", "sinus-pause"),
        ("ventricular-paced-rhythm", "r-on-t"),
        ("atrial-flutter", "interpolated-ventricular-premature-complex"),
    ],
)
def test_what_a_rhythm_cannot_show_is_refused_with_it(pattern: str, rhythm: str) -> None:
    assert conflicting(pattern, rhythm)


@pytest.mark.parametrize("wave", ["u-wave", "inverted-u-wave", "osborn-wave"])
def test_a_wave_of_slow_sinus_rhythms_does_not_go_with_fibrillation(wave: str) -> None:
    assert conflicting(wave, "atrial-fibrillation")


def test_pre_excitation_is_stated_with_its_short_pr_interval() -> None:
    assert stating(together("wolff-parkinson-white-left"), "short-pr-interval").all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("first-degree-av-block", "complete-left-bundle-branch-block"),
        ("first-degree-av-block", "sinus-tachycardia"),
        ("sinus-arrhythmia", "ventricular-premature-complex"),
        ("sinus-arrhythmia", "left-anterior-fascicular-block"),
        ("inferior-myocardial-infarction", "anteroseptal-myocardial-infarction"),
        ("inferior-myocardial-infarction", "anterolateral-ischemia"),
        ("left-atrial-enlargement", "complete-right-bundle-branch-block"),
        ("intraventricular-conduction-disturbance", "left-ventricular-hypertrophy"),
        ("ventricular-premature-complex", "ventricular-paced-rhythm"),
        ("atrial-flutter", "ventricular-premature-complex"),
        ("st-depression", "t-wave-inversion"),
    ],
)
def test_what_hospitals_see_together_is_drawn_together(one: str, other: str) -> None:
    rng = np.random.default_rng(5)
    pairs = {pair for _ in range(8000) for pair in combinations(sorted(sample_findings(rng)), 2)}
    assert tuple(sorted((one, other))) in pairs
