"""What a query means, in any wording; and that nothing is found for what no source knows."""

import pytest

from ckepe.retrieval import GROUNDING_THRESHOLD, HybridRetriever
from knowledge_sources.errors import KnowledgeError


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("LBBB", "ECG:left-bundle-branch-block"),
        ("left bundle branch block (LBBB)", "ECG:left-bundle-branch-block"),
        ("block of the left bundle branch", "ECG:left-bundle-branch-block"),
        ("left bundel branch block", "ECG:left-bundle-branch-block"),
        ("Linksvorhofbelastung", "ECG:left-atrial-enlargement"),
        ("heart attack at the bottom wall of the heart", "ECG:inferior-myocardial-infarction"),
        ("Marked sinus bradycardia", "ECG:sinus-bradycardia"),
        ("PAF", "ECG:paroxysmal-atrial-fibrillation"),
        ("csn:AF", "ECG:atrial-flutter"),
    ],
)  # fmt: skip
def test_the_right_concept_comes_first(
    query: str, expected: str, retriever: HybridRetriever
) -> None:
    assert retriever.search(query, 3)[0].concept_id == expected


def test_the_label_set_decides_an_ambiguous_acronym(retriever: HybridRetriever) -> None:
    assert retriever.search("AF", 1)[0].concept_id == "ECG:atrial-fibrillation"
    assert retriever.search("AF", 1, "csn")[0].concept_id == "ECG:atrial-flutter"


@pytest.mark.parametrize("query", ["osteoarthritis of the knee", "stock exchange", "green tea"])
def test_what_no_source_knows_is_not_grounded(query: str, retriever: HybridRetriever) -> None:
    assert retriever.ground(query) is None


@pytest.mark.parametrize(
    "query",
    ["sinus infection", "lymph node enlargement", "escape room", "flutter kick"],
)
def test_a_word_shared_with_a_finding_grounds_nothing(
    query: str, retriever: HybridRetriever
) -> None:
    assert retriever.search(query) == []
    assert retriever.search(query, nearest=True)


def test_a_misspelled_word_is_no_strange_word(retriever: HybridRetriever) -> None:
    assert retriever.ground("anterior infaction of the myocardum") is not None


def test_a_name_scores_one_and_everything_else_less(retriever: HybridRetriever) -> None:
    first, *rest = retriever.search("atrial flutter", 10)
    assert first.score == 1.0
    assert all(hit.score < 1.0 for hit in rest)
    assert GROUNDING_THRESHOLD < 1.0


def test_brackets_that_contradict_the_name_name_nothing(retriever: HybridRetriever) -> None:
    assert retriever.knowledge_base.by_alias("atrial flutter (atrial fibrillation)") == []


def test_a_label_set_that_does_not_exist_is_named(retriever: HybridRetriever) -> None:
    with pytest.raises(KnowledgeError, match="'nope'"):
        retriever.search("AF", 1, "nope")


def test_an_identifier_finds_the_concept_that_carries_it(retriever: HybridRetriever) -> None:
    for query in ("SCP:CLBBB", "snomed:733534002", "733534002", "NCIT:C62269"):
        (hit,) = retriever.search(query, 1)
        assert (hit.concept_id, hit.score) == ("ECG:complete-left-bundle-branch-block", 1.0)


def test_a_superior_axis_without_a_side_finds_both_findings(retriever: HybridRetriever) -> None:
    found = {hit.concept_id for hit in retriever.search("superior axis", 2)}
    assert found == {"ECG:left-axis-deviation", "ECG:extreme-axis-deviation"}
