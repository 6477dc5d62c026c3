"""The ECG statement table keeps its promises."""

import csv
import re
from collections import defaultdict
from pathlib import Path

import pytest

from knowledge_sources.concept import Comparator, Concept
from knowledge_sources.ecg_statements import (
    PREFIX,
    load_ecg_statements,
    load_features,
    load_references,
)
from knowledge_sources.errors import SourceFormatError
from knowledge_sources.hpo import load_hpo
from knowledge_sources.knowledge_base import load_knowledge_base
from knowledge_sources.label_sets import label_sets
from knowledge_sources.naming import normalize_name

PREFIXES = {"SCP", "SNOMED", "UMLS", "HP", "NCIT", "ICD10CM", "AHA", "DOID", "MDC", "DICOM"}


@pytest.fixture(scope="module")
def table() -> dict[str, Concept]:
    return {c.concept_id: c for c in load_ecg_statements().concepts}


def test_every_class_of_the_label_sets_has_its_concept(table: dict[str, Concept]) -> None:
    wanted = {c for s in label_sets().values() for label in s.labels for c in label.concept_ids}
    assert wanted <= set(table)
    assert sum(len(s.labels) for s in label_sets().values()) == 106


def test_the_table_covers_the_statements_of_guidelines_and_challenges(
    table: dict[str, Concept],
) -> None:
    assert len(table) >= 180


def test_every_scp_statement_has_exactly_one_concept(
    table: dict[str, Concept], shared: Path
) -> None:
    with (shared / "data/ptb-xl/scp_statements.csv").open(newline="") as file:
        codes = {row[""] for row in csv.DictReader(file)}
    owners = defaultdict(list)
    for concept in table.values():
        for xref in concept.xrefs:
            if xref.startswith("SCP:"):
                owners[xref.removeprefix("SCP:")].append(concept.concept_id)
    assert {c: o for c, o in owners.items() if len(o) != 1} == {}
    assert codes - set(owners) == set()


def test_parents_and_contradictions_exist(table: dict[str, Concept]) -> None:
    named = {r for c in table.values() for r in (*c.parents, *c.contradicts)}
    assert named - set(table) == set()


def test_contradictions_are_symmetric(table: dict[str, Concept]) -> None:
    one_sided = [
        (c.concept_id, other)
        for c in table.values()
        for other in c.contradicts
        if c.concept_id not in table[other].contradicts
    ]
    assert one_sided == []


def test_no_concept_contradicts_its_own_lineage(table: dict[str, Concept]) -> None:
    knowledge = load_knowledge_base()
    for concept in table.values():
        lineage = knowledge.ancestors(concept.concept_id) | {concept.concept_id}
        assert not lineage & set(concept.contradicts), concept.concept_id


def test_every_identifier_is_well_formed(table: dict[str, Concept]) -> None:
    pattern = re.compile(r"^([A-Z0-9]+):\S+$")
    for concept in table.values():
        for xref in concept.xrefs:
            match = pattern.match(xref)
            assert match, (concept.concept_id, xref)
            assert match[1] in PREFIXES, (concept.concept_id, xref)


def test_identifiers_exist_where_a_source_is_at_hand(table: dict[str, Concept]) -> None:
    hpo = {c.concept_id for c in load_hpo().concepts}
    unknown = [
        (c.concept_id, x) for c in table.values() for x in c.xrefs
        if x.startswith("HP:") and x not in hpo
    ]  # fmt: skip
    assert unknown == []


def test_snomed_codes_agree_with_the_challenge(table: dict[str, Concept], shared: Path) -> None:
    """Where a concept carries a code of the challenge, its name or an alias is the challenge's."""
    knowledge = load_knowledge_base()
    checked = 0
    for name in ("dx_mapping_scored.csv", "dx_mapping_unscored.csv"):
        with (shared / "knowledge/physionet_challenge_2021" / name).open(newline="") as file:
            for row in csv.DictReader(file):
                code = row.get("SNOMEDCTCode") or row.get("SNOMED CT Code") or ""
                owners = [c for c in table.values() if f"SNOMED:{code}" in c.xrefs]
                dx = row.get("Dx") or ""
                named = knowledge.by_alias(dx)
                if owners and named:
                    checked += 1
                    related = {owners[0].concept_id, *knowledge.ancestors(owners[0].concept_id)}
                    related |= knowledge.descendants(owners[0].concept_id)
                    assert related & set(named), (dx, code, owners[0].concept_id, named)
    assert checked > 40


def test_every_criterion_is_complete(table: dict[str, Concept]) -> None:
    features, references = load_features(), load_references()
    for concept in table.values():
        for criterion in concept.criteria:
            place = (concept.concept_id, criterion.text)
            assert criterion.feature in features, place
            assert criterion.reference is None or criterion.reference in references, place
            is_sign = criterion.comparator in (Comparator.PRESENT, Comparator.ABSENT)
            assert is_sign == (criterion.value is None), place
            if not is_sign:
                assert criterion.unit in {features[criterion.feature].unit, "mm"}, place
            assert (criterion.comparator is Comparator.BETWEEN) == (criterion.upper is not None)


def test_every_concept_has_a_definition_a_reference_and_names(table: dict[str, Concept]) -> None:
    references = load_references()
    for concept in table.values():
        assert concept.definition, concept.concept_id
        assert set(concept.references) <= set(references), concept.concept_id
        assert len(concept.aliases) >= 3, concept.concept_id


def test_an_alias_of_several_concepts_is_noted_as_ambiguous(table: dict[str, Concept]) -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for concept in table.values():
        for name in concept.names:
            owners[normalize_name(name)].add(concept.concept_id)
    unnoted = {
        name: sorted(ids)
        for name, ids in owners.items()
        if len(ids) > 1 and not all(table[i].notes for i in ids)
    }
    assert unnoted == {}


def test_every_note_is_a_whole_sentence(table: dict[str, Concept]) -> None:
    notes = [note for concept in table.values() for note in concept.notes]
    assert notes
    assert [note for note in notes if note[0].islower() or not note.endswith(".")] == []


def test_a_broken_item_is_named_with_its_field_and_nothing_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "- {id: one, name: one, kind: rhythm, definition: d}\n"
        "- {id: two, name: two, kind: nonsense, definition: d}\n"
    )
    with pytest.raises(SourceFormatError, match=r"a\.yaml, column kind: two"):
        load_ecg_statements(tmp_path)


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- id: one\n  name: [unclosed\n")
    with pytest.raises(SourceFormatError, match="line"):
        load_ecg_statements(tmp_path)


def test_an_id_given_twice_is_refused(tmp_path: Path) -> None:
    item = "- {id: one, name: one, kind: rhythm, definition: d}\n"
    (tmp_path / "a.yaml").write_text(item + item)
    with pytest.raises(SourceFormatError, match=f"{PREFIX}one' is given twice"):
        load_ecg_statements(tmp_path)
