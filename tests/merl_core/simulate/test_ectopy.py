"""Premature beats fall where their kind says."""

import numpy as np
import pytest

from merl_core.simulate.beats import CONDUCTED, ECTOPIC, ECTOPIC_2, Plan
from merl_core.simulate.rhythm import schedule


def test_bigeminy_alternates_and_premature_beats_come_early() -> None:
    plan = Plan(70, 0.16, ectopy=("ventricular_bigeminy",))
    one = schedule(plan, 10, np.random.default_rng(1))
    inside = [form for t, form in zip(one.v_time, one.v_form, strict=True) if t > 0]
    assert set(np.diff(inside)) <= {-1, 1}
    early = [
        b - a
        for a, b, form in zip(one.v_time, one.v_time[1:], one.v_form[1:], strict=False)
        if form
    ]
    assert max(early) < 0.8 * 60 / 70


@pytest.mark.parametrize(
    ("origin", "paced", "form"),
    [
        ("fibrillation", "", ECTOPIC),
        ("flutter", "", ECTOPIC),
        ("sinus", "dual", ECTOPIC_2),
        ("sinus", "ventricular", ECTOPIC_2),
    ],
)
def test_a_premature_beat_of_any_rhythm_comes_early_and_is_followed_by_a_rest(
    origin: str, paced: str, form: int
) -> None:
    for seed in range(20):
        plan = Plan(80, 0.16, origin=origin, paced=paced, ectopy=("pvc",), atrial_rate_bpm=320)
        one = schedule(plan, 10, np.random.default_rng(seed))
        beats = list(zip(one.v_time, one.v_form, strict=True))
        premature = [k for k, (t, f) in enumerate(beats) if f == form and 0 < t < 9.5]
        assert premature
        for k in premature:
            before, at, after = (one.v_time[i] for i in (k - 1, k, k + 1))
            assert 0.3 < at - before < 0.6
            assert after - at > 0.4


@pytest.mark.parametrize(("kind", "period"), [("bigeminy", 2), ("trigeminy", 3)])
@pytest.mark.parametrize(
    ("origin", "paced"), [("sinus", ""), ("fibrillation", ""), ("flutter", ""), ("sinus", "dual")]
)
def test_the_order_of_premature_beats_holds_in_any_rhythm(
    origin: str, paced: str, kind: str, period: int
) -> None:
    name = f"ventricular_{kind}"
    plan = Plan(80, 0.16, origin=origin, paced=paced, ectopy=(name,), atrial_rate_bpm=320)
    one = schedule(plan, 10, np.random.default_rng(4))
    usual = ECTOPIC if paced else CONDUCTED
    places = np.flatnonzero(np.array(one.v_form) != usual)
    assert set(np.diff(places)) == {period}
