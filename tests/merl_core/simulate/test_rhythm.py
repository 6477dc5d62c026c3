"""The beat scheduler gives each rhythm its times."""

import numpy as np
import pytest

from merl_core.simulate.beats import CONDUCTED, Plan
from merl_core.simulate.rhythm import schedule


def test_atrial_fibrillation_is_irregular_without_p() -> None:
    rng = np.random.default_rng(0)
    one = schedule(Plan(80, 0.15, origin="fibrillation"), 10, rng)
    assert np.std(np.diff(one.v_time)) / np.mean(np.diff(one.v_time)) > 0.12
    assert one.p_time == []


def test_third_degree_block_dissociates_atria_and_ventricles() -> None:
    rng = np.random.default_rng(0)
    plan = Plan(36, 0.15, conduction="complete", atrial_rate_bpm=88)
    one = schedule(plan, 10, rng)
    assert len(one.p_time) > 1.8 * len(one.v_time)
    nearest = [min((v - p for v in one.v_time if v > p), default=0) for p in one.p_time[:-4]]
    assert np.std(nearest) > 0.2


def test_wenckebach_lengthens_pr_until_a_beat_fails() -> None:
    rng = np.random.default_rng(1)
    one = schedule(Plan(80, 0.16, conduction="wenckebach"), 10, rng)
    assert len(one.p_time) > len(one.v_time)
    pr = [v - max(p for p in one.p_time if p < v) for v in one.v_time]
    assert max(pr) - min(pr) > 0.05


def test_two_to_one_block_conducts_every_second_p() -> None:
    one = schedule(Plan(90, 0.16, conduction="two_to_one"), 10, np.random.default_rng(1))
    assert len(one.p_time) == pytest.approx(2 * len(one.v_time), abs=2)


def test_flutter_is_conducted_in_whole_cycles() -> None:
    plan = Plan(150, 0.1, origin="flutter", variability=0.0, atrial_rate_bpm=300)
    one = schedule(plan, 10, np.random.default_rng(1))
    np.testing.assert_allclose(np.diff(one.v_time), 0.4, atol=0.03)


def test_paced_beats_follow_a_spike() -> None:
    one = schedule(Plan(70, 0.16, paced="ventricular"), 10, np.random.default_rng(1))
    np.testing.assert_allclose(np.array(one.v_time) - one.spike_time, 0.014, atol=1e-9)


@pytest.mark.parametrize("chamber", ["ventricular", "dual"])
def test_a_pacemaker_on_demand_leaves_the_first_beats_to_the_heart(chamber: str) -> None:
    rng = np.random.default_rng(2)
    one = schedule(Plan(70, 0.16, paced=chamber, on_demand=True), 10, rng)
    forms = np.array(one.v_form)
    own = int((forms == CONDUCTED).sum())
    assert 3 < own < len(forms) - 3
    assert (forms[:own] == CONDUCTED).all()
    assert min(one.spike_time) > one.v_time[own - 1]


def test_stimulated_ventricles_may_follow_p_waves_or_not() -> None:
    spread = []
    for tracks in (True, False):
        plan = Plan(70, 0.16, paced="ventricular", tracks_atria=tracks, atrial_rate_bpm=88)
        one = schedule(plan, 10, np.random.default_rng(3))
        spread.append(np.std([v - max(p for p in one.p_time if p < v) for v in one.v_time[3:]]))
    assert spread[0] < 0.01
    assert spread[1] > 0.1


@pytest.mark.parametrize("origin", ["pause", "sinus_block"])
def test_the_record_shows_a_sinus_pause_from_beat_to_beat(origin: str) -> None:
    for seed in range(100):
        plan = Plan(50 + seed % 30, 0.16, origin=origin, variability=0.008)
        one = schedule(plan, 10, np.random.default_rng(seed))
        steps = np.diff([t for t in one.v_time if 0 < t < 10])
        assert 1.8 < steps.max() / np.median(steps) < 3.2
