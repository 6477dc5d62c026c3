"""What a description claims, clause by clause, and how a sign stands to a criterion."""

import pytest

from ckepe.criteria import read_claim, read_clauses


def _read(text: str) -> list[tuple[set[str], tuple[str, ...]]]:
    return [({m.feature for m in c.mentions}, c.leads) for c in read_clauses(text)]


def test_each_clause_has_its_own_leads_and_ranges() -> None:
    width, secondary_r, broad_s = read_clauses("QRS of 135 ms with rsR' in V2 and slurred S in V6")
    assert [s.low for s in width.spans] == [135.0]
    assert (width.leads, secondary_r.leads, broad_s.leads) == ((), ("V2",), ("V6",))
    assert not secondary_r.spans


def test_leads_after_a_list_of_signs_hold_for_all_of_it() -> None:
    assert _read("Q waves and ST elevation in I and aVL") == [
        ({"pathological_q"}, ("I", "aVL")),
        ({"st_elevation"}, ("I", "aVL")),
    ]


def test_what_opposes_a_sign_does_not_lend_it_its_leads() -> None:
    assert _read("ST depression and ST elevation in V7 to V9") == [
        ({"st_depression"}, ()),
        ({"st_elevation"}, ("V7", "V8", "V9")),
    ]


def test_a_list_of_leads_is_one_clause() -> None:
    assert _read("Q waves in II, III and aVF") == [({"pathological_q"}, ("II", "III", "aVF"))]


@pytest.mark.parametrize(
    ("text", "feature", "is_negated"),
    [
        ("no P waves, irregular RR intervals", "rr_irregular", False),
        ("narrow QRS and absent P waves", "qrs_narrow", False),
        ("late narrow beat without P wave after a pause", "p_wave", True),
        ("P waves are absent", "p_wave", True),
        ("QRS without notching", "qrs_notched", True),
    ],
)
def test_a_denial_reaches_as_far_as_it_is_meant(text: str, feature: str, is_negated: bool) -> None:
    found = [m for c in read_clauses(text) for m in c.mentions if m.feature == feature]
    assert [m.is_negated for m in found] == [is_negated]


@pytest.mark.parametrize(
    ("text", "feature"),
    [
        ("normal P wave before each QRS at 120 per minute", "heart_rate"),
        ("fibrillatory waves at 400 per minute", "atrial_rate"),
        ("rate of 45 with narrow QRS", "heart_rate"),
    ],
)
def test_a_rate_is_that_of_the_chamber_spoken_of(text: str, feature: str) -> None:
    claim = read_claim(text)
    assert feature in {m.feature for m in claim.mentions}
    assert {s.unit for s in claim.spans} == {"bpm"}
