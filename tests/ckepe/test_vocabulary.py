"""Which words the sources know."""

import pytest

from ckepe.vocabulary import Vocabulary
from knowledge_sources.knowledge_base import KnowledgeBase


@pytest.fixture(scope="module")
def vocabulary(knowledge: KnowledgeBase) -> Vocabulary:
    return Vocabulary(knowledge)


@pytest.mark.parametrize(
    ("query", "head", "unknown", "foreign"),
    [
        ("escape beat", "ECG:escape-beat", 0.0, 0.0),
        ("escape room", "ECG:escape-beat", 0.5, 0.5),
        ("premature conclusion", "ECG:premature-complex", 0.5, 0.5),
        ("second degree burn", "ECG:second-degree-av-block", 0.5, 0.5),
        ("anterior infarction", "ECG:inferior-myocardial-infarction", 0.0, 0.5),
    ],
)
def test_strange_words_are_counted_by_who_lacks_them(
    query: str, head: str, unknown: float, foreign: float, vocabulary: Vocabulary
) -> None:
    assert vocabulary.strangeness(query, head) == pytest.approx((unknown, foreign))


@pytest.mark.parametrize(
    "query", ["anterior infaction", "Vorderwandinfarkt", "heart attack at the front of the heart"]
)
def test_misspelled_german_and_lay_words_are_known(query: str, vocabulary: Vocabulary) -> None:
    assert vocabulary.strangeness(query, "ECG:anterior-myocardial-infarction") == (0.0, 0.0)


def test_plain_words_and_qualifiers_need_no_source(vocabulary: Vocabulary) -> None:
    assert vocabulary.strange_words("clearly visible suspected delta wave") == []
    assert vocabulary.strange_words("Kowalski delta wave") == ["kowalski"]
