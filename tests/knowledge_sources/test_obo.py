"""OBO files are read whole or refused with file and line."""

from pathlib import Path

import pytest

from knowledge_sources.errors import SourceFormatError
from knowledge_sources.hpo import load_hpo
from knowledge_sources.obo import read_obo

OBO = """format-version: 1.2
data-version: hp/releases/2030-01-01

[Term]
id: HP:0030956
name: Abnormality of electrophysiology

[Term]
id: HP:0000001
name: Slow thing
def: "Is \\"slow\\"." [PMID:1]
synonym: "Slowness" EXACT layperson []
xref: UMLS:C1
is_a: HP:0030956 ! Abnormality of electrophysiology

[Term]
id: HP:0000002
name: Old thing
is_a: HP:0030956
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "hp.obo"
    path.write_text(OBO)
    return path


def test_a_term_keeps_its_definition_synonyms_and_parents(path: Path) -> None:
    term = read_obo(path).terms["HP:0000001"]
    assert term.definition == 'Is "slow".'
    assert term.synonyms == [("Slowness", "EXACT layperson []")]
    assert term.parents == ["HP:0030956"]


def test_the_users_own_release_is_read_with_its_version(path: Path) -> None:
    loaded = load_hpo(path)
    assert loaded.source.version == "2030-01-01"
    assert [c.concept_id for c in loaded.concepts] == ["HP:0000001", "HP:0030956"]


def test_relation_types_are_no_terms(path: Path) -> None:
    assert "part_of" not in read_obo(path).terms


def test_a_broken_line_is_named(path: Path) -> None:
    path.write_text(OBO.replace('def: "Is', "def: Is"))
    with pytest.raises(SourceFormatError, match=r"hp\.obo, line 11, column def"):
        load_hpo(path)
    path.write_text(OBO.replace("name: Slow thing", "nonsense"))
    with pytest.raises(SourceFormatError, match="line 10"):
        load_hpo(path)


def test_the_packaged_release_holds_the_ecg_terms() -> None:
    loaded = load_hpo()
    names = {c.concept_id: c.canonical_name for c in loaded.concepts}
    assert names["HP:0005110"] == "atrial fibrillation"
    assert len(names) > 150
    assert loaded.source.version.startswith("20")
