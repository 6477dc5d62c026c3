import numpy as np
import pytest

from merl_core.criteria import (
    Measurements,
    criteria_met,
    has_long_qt,
    is_sinus_arrhythmia,
    not_stated_beside,
)

AGE, FEMALE = np.array([50.0]), np.array([True])
I, II, V1, V2, V3, V4, V5 = 0, 1, 6, 7, 8, 9, 10  # noqa: E741


def beat(**changes: float | dict[int, float]) -> Measurements:
    """Measures of one beat that fulfils no criterion, with changes: of all leads, or by lead."""
    r = [0.7, 1.0, 0.4, 0.1, 0.4, 0.7, 0.2, 0.5, 0.8, 1.2, 1.2, 1.0]
    s = [0.1, 0.1, 0.1, 0.8, 0.1, 0.1, 0.8, 1.0, 0.6, 0.4, 0.2, 0.1]
    t = [0.2, 0.3, 0.1, -0.2, 0.1, 0.2, 0.1, 0.3, 0.4, 0.4, 0.3, 0.2]
    one: dict[str, np.ndarray] = {
        "r_mv": np.array([r]),
        "s_mv": np.array([s]),
        "t_mv": np.array([t]),
        "t_high_mv": np.clip([t], 0, None),
        "t_low_mv": np.clip([t], None, 0),
        "qrs_axis_deg": np.array([40.0]),
        "sokolow_lyon_mv": np.array([2.0]),
        "cornell_mv": np.array([1.0]),
    }
    one |= {name: np.zeros((1, 12)) for name in ("q_mv", "st_mv", "j_mv")}
    for name, value in changes.items():
        for lead, size in value.items() if isinstance(value, dict) else [(slice(None), value)]:
            one[name][..., lead] = size
    return one


def met(one: Measurements) -> set[str]:
    return {name for name, hit in criteria_met(one, AGE, FEMALE).items() if hit[0]}


def test_a_normal_beat_fulfils_no_criterion() -> None:
    assert met(beat()) == set()


@pytest.mark.parametrize(
    ("statement", "one"),
    [
        ("left-axis-deviation", beat(qrs_axis_deg=-45)),
        ("right-axis-deviation", beat(qrs_axis_deg=120)),
        ("extreme-axis-deviation", beat(qrs_axis_deg=-120)),
        ("low-qrs-voltage", beat(r_mv=0.25, s_mv=dict.fromkeys(range(6), 0.2))),
        ("high-qrs-voltage", beat(r_mv={V5: 3.2})),
        ("voltage-criteria-left-ventricular-hypertrophy", beat(sokolow_lyon_mv=3.6)),
        ("poor-r-wave-progression", beat(r_mv={V3: 0.2})),
        ("clockwise-rotation", beat(r_mv={V5: 0.4}, s_mv={V5: 0.8})),
        ("counterclockwise-rotation", beat(r_mv={V2: 1.2}, s_mv={V2: 0.5})),
        ("tall-r-wave-v1", beat(r_mv={V1: 1.0})),
        ("t-wave-inversion", beat(t_low_mv={V4: -0.2, V5: -0.2}, t_high_mv={V4: 0, V5: 0})),
        ("st-depression", beat(st_mv={V4: -0.1, V5: -0.1}, j_mv={V4: -0.1, V5: -0.1})),
        ("st-elevation", beat(st_mv={V4: 0.2, V5: 0.2}, j_mv={V4: 0.2, V5: 0.2})),
        ("q-wave", beat(q_mv={V4: 0.6, V5: 0.6})),
        ("low-t-wave", beat(t_mv=0.05)),
    ],
)
def test_each_criterion_is_met_by_what_it_asks_for(statement: str, one: Measurements) -> None:
    assert statement in met(one)


def test_one_lead_alone_makes_no_inverted_t_wave() -> None:
    assert "t-wave-inversion" not in met(beat(t_low_mv={V4: -0.2}, t_high_mv={V4: 0}))


def test_repolarisation_is_not_judged_beside_a_bundle_branch_block() -> None:
    skipped = not_stated_beside({"complete-left-bundle-branch-block"})
    assert {"t-wave-inversion", "st-depression", "poor-r-wave-progression"} <= skipped
    assert "left-axis-deviation" not in skipped


def test_an_anterior_infarction_explains_a_poor_r_progression() -> None:
    assert "poor-r-wave-progression" in not_stated_beside({"anterior-myocardial-infarction"})
    assert "poor-r-wave-progression" not in not_stated_beside({"sinus-rhythm"})


@pytest.mark.parametrize(
    ("qtc_ms", "qrs_ms", "female", "is_long"),
    [
        (455, 90, False, True),
        (455, 90, True, False),
        (470, 90, True, True),
        (470, 140, False, False),
        (510, 140, True, True),
        (np.nan, 90, True, False),
    ],
)
def test_qt_is_long_by_sex_and_width_of_qrs(
    qtc_ms: float, qrs_ms: float, female: bool, is_long: bool
) -> None:
    assert has_long_qt(qtc_ms, qrs_ms, female) == is_long


def test_a_sinus_rhythm_is_uneven_from_120_ms() -> None:
    np.testing.assert_array_equal(is_sinus_arrhythmia(np.array([0.1, 0.13])), [False, True])
