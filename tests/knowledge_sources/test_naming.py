"""Names are compared as a reader compares them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_sources.naming import expand_acronyms, normalize_name, word_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Left Bundle-Branch Block", "left bundle branch block"),
        ("ischaemic ST-T changes", "ischemic ST-T change"),
        ("2nd degree AV block", "second-degree atrioventricular block"),
        ("AV-Block I°", "AV block first degree"),
        ("hyperkalaemia", "hyperkalemia"),
        ("inverted T waves", "inverted T wave"),
        ("EKG", "electrocardiogram"),
        ("anterior infarct", "anterior infarction"),
        ("verlängertes QT-Intervall", "verlangertes QT Intervall"),
    ],
)
def test_spellings_of_one_name_are_equal(one: str, other: str) -> None:
    assert normalize_name(one) == normalize_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ST elevation", "ST depression"),
        ("complete right bundle branch block", "incomplete right bundle branch block"),
        ("first degree AV block", "third degree AV block"),
        ("PR interval over 200 ms", "PR interval over 120 ms"),
        ("lead V1", "lead V2"),
    ],
)
def test_names_that_differ_in_meaning_stay_apart(one: str, other: str) -> None:
    assert normalize_name(one) != normalize_name(other)
    assert word_key(one) != word_key(other)


def test_word_order_and_filler_do_not_count_in_the_key() -> None:
    assert word_key("a block of the bundle branch") == word_key("bundle branch block")
    assert word_key("block, left bundle branch") == word_key("left bundle branch block")


def test_acronyms_within_a_name_are_written_out() -> None:
    assert expand_acronyms(normalize_name("inferior MI")) == "inferior myocardial infarction"
    assert word_key("LVH with strain") == word_key("left ventricular hypertrophy with strain")


@given(st.text(max_size=60))
def test_a_normalised_name_has_single_spaces_and_no_capitals(text: str) -> None:
    name = normalize_name(text)
    assert " ".join(name.split()) == name
    assert not any(c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for c in name)


@given(st.text(alphabet="abc DEF-", max_size=30))
def test_case_and_hyphens_never_count(text: str) -> None:
    assert normalize_name(text.upper()) == normalize_name(text.lower().replace("-", " "))
