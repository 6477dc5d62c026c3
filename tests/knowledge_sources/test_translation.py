"""Lay, German and Spanish words in the English terms of the sources."""

import pytest

from knowledge_sources.translation import say_in_terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Linksvorhofbelastung", "left atrial overload"),
        ("QRS-Verbreiterung", "qrs widening"),
        ("Kammerersatzrhythmus", "ventricular escape rhythm"),
        ("AV-Block II. Grades Typ Mobitz", "av block second degree type mobitz"),
        ("Zustand nach Hinterwandinfarkt", "old inferior myocardial infarction"),
        ("bloqueo de rama izquierda", "block bundle branch left"),
        ("heart attack in the back of the heart", "posterior myocardial infarction"),
        ("blocked wiring on the left side of the heart", "left bundle branch block"),
    ],
)
def test_a_name_is_said_in_english_terms(text: str, expected: str) -> None:
    assert expected in say_in_terms(text)


@pytest.mark.parametrize(
    "text", ["left bundle branch block", "sinus rhythm", "PR interval of 200 ms", "die casting", ""]
)
def test_english_terms_have_no_other_reading(text: str) -> None:
    assert say_in_terms(text) == ()


def test_a_compound_with_an_unknown_part_stays_as_it_is() -> None:
    assert not any("bundle" in said for said in say_in_terms("Schenkelquargelblock"))
