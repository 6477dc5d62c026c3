"""Lay, German and Spanish words in the English terms of the sources."""

import pytest

from knowledge_sources.ecg_statements import load_ecg_statements
from knowledge_sources.translation import say_german_in_english, say_in_terms


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sinusrhythmus. Linkstyp", "sinus rhythm. left axis deviation"),
        (
            "Linksschenkelblock, broad notched R wave in V6",
            "left bundle branch block, broad notched R wave in V6",
        ),
        ("AV-Block II. Grades Typ Mobitz, ECG", "av block second degree type mobitz, ECG"),
    ],
)
def test_german_phrases_of_a_text_are_said_in_english(text: str, expected: str) -> None:
    assert say_german_in_english(text) == expected


def test_english_texts_stay_as_they_are() -> None:
    concepts = load_ecg_statements().concepts
    texts = [text for c in concepts for text in (c.canonical_name, c.definition)]
    assert [text for text in texts if say_german_in_english(text) != text] == []
    mixed = "Wellens pattern; ST-T changes in leads V2 to V4, QTc 460 ms\nProbable old infarction."
    assert say_german_in_english(mixed) == mixed
