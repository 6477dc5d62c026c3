"""Sources are joined into one graph without losing what each said."""

import dataclasses

import pytest

from knowledge_sources.concept import Alias, Concept, Source, Terminology
from knowledge_sources.errors import KnowledgeError
from knowledge_sources.knowledge_base import KnowledgeBase, load_knowledge_base

OURS = Source("merl", "ours", "1", "Apache-2.0")
OTHER = Source("hpo", "other", "2", "free")


def concept(key: str, name: str, source: str = "merl", **fields: object) -> Concept:
    return dataclasses.replace(Concept(key, name, source), **fields)  # type: ignore[arg-type]


def test_concepts_that_share_an_identifier_form_a_cluster_headed_by_ours() -> None:
    ours = concept("ECG:a", "a block", xrefs=("HP:1",))
    theirs = concept("HP:1", "block a", "hpo", aliases=(Alias("blocked a"),))
    base = KnowledgeBase([Terminology(OURS, (ours,)), Terminology(OTHER, (theirs,))])
    assert base.head("HP:1") == "ECG:a"
    assert base.cluster("HP:1") == ("ECG:a", "HP:1")
    assert base.by_alias("blocked a") == ["ECG:a"]


def test_an_identifier_that_two_concepts_claim_joins_nothing() -> None:
    ours = (concept("ECG:a", "a", xrefs=("HP:1",)), concept("ECG:b", "b", xrefs=("HP:1",)))
    theirs = concept("HP:1", "a or b", "hpo")
    base = KnowledgeBase([Terminology(OURS, ours), Terminology(OTHER, (theirs,))])
    assert base.head("HP:1") == "HP:1"


def test_another_source_draws_no_edge_between_two_of_our_concepts() -> None:
    ours = (
        concept("ECG:a", "a", xrefs=("HP:1",)),
        concept("ECG:b", "b", xrefs=("HP:2",), parents=("ECG:a",)),
    )
    theirs = (concept("HP:1", "a", "hpo", parents=("HP:2",)), concept("HP:2", "b", "hpo"))
    base = KnowledgeBase([Terminology(OURS, ours), Terminology(OTHER, theirs)])
    assert base.ancestors("ECG:b") == {"ECG:a"}
    assert base.ancestors("ECG:a") == frozenset()


def test_a_cycle_in_our_own_table_is_an_error() -> None:
    ours = (
        concept("ECG:a", "a", parents=("ECG:b",)),
        concept("ECG:b", "b", parents=("ECG:a",)),
    )
    with pytest.raises(KnowledgeError, match="is-a cycle"):
        KnowledgeBase([Terminology(OURS, ours)])


def test_what_contradicts_an_ancestor_contradicts_the_concept() -> None:
    ours = (
        concept("ECG:slow", "slow", contradicts=("ECG:fast",)),
        concept("ECG:fast", "fast", contradicts=("ECG:slow",)),
        concept("ECG:sinus-fast", "sinus fast", parents=("ECG:fast",)),
    )
    base = KnowledgeBase([Terminology(OURS, ours)])
    assert base.contradictions("ECG:sinus-fast") == {"ECG:slow"}
    assert base.contradictions("ECG:slow") == {"ECG:fast", "ECG:sinus-fast"}


def test_an_unknown_source_is_named() -> None:
    with pytest.raises(KnowledgeError, match="'snowmed'"):
        load_knowledge_base(("snowmed",))


def test_an_unknown_concept_is_named() -> None:
    with pytest.raises(KnowledgeError, match="ECG:nothing"):
        load_knowledge_base().get("ECG:nothing")


@pytest.mark.parametrize(
    ("name", "concept_id"),
    [
        ("LBBB", "ECG:left-bundle-branch-block"),
        ("complete left bundle branch block", "ECG:complete-left-bundle-branch-block"),
        ("Vorhofflimmern", "ECG:atrial-fibrillation"),
        ("Wolff-Parkinson-White syndrome", "ECG:wolff-parkinson-white"),
        ("heart attack", "ECG:myocardial-infarction"),
        ("ischaemia", "ECG:ischemia"),
    ],
)
def test_concepts_are_found_by_name_in_any_spelling(name: str, concept_id: str) -> None:
    assert load_knowledge_base().by_alias(name)[0] == concept_id


def test_the_graph_reproduces_the_superclasses_of_ptbxl() -> None:
    base = load_knowledge_base()
    expected = {
        "ECG:myocardial-infarction": [
            "inferior-myocardial-infarction", "subendocardial-injury-inferior",
        ],
        "ECG:conduction-disturbance": [
            "complete-left-bundle-branch-block", "first-degree-av-block",
        ],
        "ECG:hypertrophy": ["left-ventricular-hypertrophy", "left-atrial-enlargement"],
        "ECG:st-t-change": ["inferior-ischemia", "nonspecific-st-change", "digitalis-effect"],
    }  # fmt: skip
    for superclass, members in expected.items():
        for member in members:
            assert superclass in base.ancestors(f"ECG:{member}"), member


def test_equal_content_has_an_equal_hash() -> None:
    ours = Terminology(OURS, (concept("ECG:a", "a"),))
    other = Terminology(OURS, (concept("ECG:a", "b"),))
    assert KnowledgeBase([ours]).content_hash == KnowledgeBase([ours]).content_hash
    assert KnowledgeBase([ours]).content_hash != KnowledgeBase([other]).content_hash
