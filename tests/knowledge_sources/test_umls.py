"""A user's UMLS or MedGen release is streamed; a broken row loads nothing."""

import dataclasses
import gzip
from pathlib import Path

import pytest

from knowledge_sources.concept import Concept
from knowledge_sources.errors import KnowledgeError, SourceFormatError
from knowledge_sources.umls import load_medgen, load_umls

CONSO = """C0000001|ENG|P|L1|PF|S1|Y|A1||SC1||HPO|PT|HP:0000001|Slow rhythm|0|N||
C0000001|ENG|S|L2|PF|S2|Y|A2||SC1||NCI|SY|C111|Rhythm that is slow|0|N||
C0000001|GER|S|L3|PF|S3|Y|A3||SC1||MSHGER|SY|D1|Langsamer Rhythmus|0|N||
C0000001|ENG|S|L4|PF|S4|Y|A4||SC1||NCI|SY|C111|Suppressed name|0|O||
C0000002|ENG|P|L5|PF|S5|Y|A5||SC2||SNOMEDCT_US|PT|222|Very slow rhythm|9|N||
C0000003|ENG|P|L6|PF|S6|Y|A6||SC3||SNOMEDCT_US|PT|333|A kind of shoe|9|N||
C0000004|ENG|P|L7|PF|S7|Y|A7||SC4||SNOMEDCT_US|PT|444|Unrelated|9|N||
"""
REL = """C0000001|A1|SCUI|CHD|C0000002|A5|SCUI|isa|R1||TEST|TEST||Y|N||
C0000003|A6|SCUI|PAR|C0000001|A1|SCUI|inverse_isa|R2||TEST|TEST||N|N||
"""
STY = """C0000001|T046|B2|Pathologic Function|AT1|256|
C0000002|T047|B2|Disease or Syndrome|AT2|256|
C0000003|T073|A1|Manufactured Object|AT3|256|
"""
DEF = 'C0000001|A1|AT9||NCI|A rhythm "below" 60.|N||\n'
TABLE = (Concept("ECG:slow", "slow rhythm", "merl", xrefs=("HP:0000001",)),)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    meta = tmp_path / "2030AA" / "META"
    meta.mkdir(parents=True)
    for name, text in (("CONSO", CONSO), ("REL", REL), ("STY", STY), ("DEF", DEF)):
        (meta / f"MR{name}.RRF").write_text(text)
    return meta.parent


def test_seeds_and_what_is_below_them_are_kept_of_the_wanted_types(release: Path) -> None:
    loaded = load_umls(release, TABLE)
    assert [c.concept_id for c in loaded.concepts] == ["UMLS:C0000001", "UMLS:C0000002"]
    assert loaded.concepts[1].parents == ("UMLS:C0000001",)
    assert loaded.source.version == "2030AA"


def test_names_keep_their_language_and_suppressed_ones_are_left_out(release: Path) -> None:
    concept = load_umls(release, TABLE).concepts[0]
    assert concept.canonical_name == "Slow rhythm"
    assert [(a.text, a.lang) for a in concept.aliases] == [
        ("Slow rhythm", "en"), ("Rhythm that is slow", "en"), ("Langsamer Rhythmus", "de"),
    ]  # fmt: skip
    assert concept.definition == 'A rhythm "below" 60.'
    assert set(concept.xrefs) == {"HP:0000001", "NCIT:C111"}


def test_a_broken_row_is_named_with_file_and_line_and_nothing_is_loaded(release: Path) -> None:
    path = release / "META" / "MRCONSO.RRF"
    path.write_text(CONSO.replace("|Very slow rhythm|9|N||", "|Very slow rhythm|"))
    with pytest.raises(SourceFormatError, match=r"MRCONSO\.RRF, line 5, column \d+: expected 18"):
        load_umls(release, TABLE)


def test_bytes_that_are_no_text_are_named(release: Path) -> None:
    path = release / "META" / "MRDEF.RRF"
    path.write_bytes(b"C0000001|A1|AT9||NCI|\xff\xfe|N||\n")
    with pytest.raises(SourceFormatError, match=r"MRDEF\.RRF, line 1: not UTF-8"):
        load_umls(release, TABLE)


def test_a_folder_without_a_release_is_named(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="MRCONSO"):
        load_umls(tmp_path, TABLE)


def test_the_result_is_kept_and_read_again_until_a_file_changes(
    release: Path, tmp_path: Path
) -> None:
    first = load_umls(release, TABLE, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").glob("umls-*.json")
    assert load_umls(release, TABLE, cache=tmp_path / "cache") == first
    (release / "META" / "MRDEF.RRF").write_text("")
    changed = load_umls(release, TABLE, cache=tmp_path / "cache")
    assert changed.concepts[0].definition is None
    assert kept.is_file()


def test_progress_is_told_for_every_file(release: Path) -> None:
    told = []
    load_umls(
        release, TABLE, on_progress=lambda name, done, total: told.append((name, done, total))
    )
    assert {name for name, _, _ in told} == {
        "MRCONSO.RRF", "MRREL.RRF", "MRSTY.RRF", "MRDEF.RRF",
    }  # fmt: skip
    assert all(done == total for _, done, total in told)


def test_medgen_names_its_columns_in_its_first_line(tmp_path: Path) -> None:
    header = "#CUI|TS|STT|ISPREF|AUI|SAUI|SCUI|SDUI|SAB|TTY|CODE|STR|SUPPRESS|\n"
    row = "C0000001|P|PF|Y|A1||S1||HPO|PT|HP:0000001|Slow rhythm|N|\n"
    with gzip.open(tmp_path / "MGCONSO.RRF.gz", "wt") as file:
        file.write(header + row)
    (concept,) = load_medgen(tmp_path, TABLE).concepts
    assert concept.canonical_name == "Slow rhythm"
    assert concept.source == "medgen"


def test_the_made_up_release_of_the_development_material_is_read(shared: Path) -> None:
    seed = dataclasses.replace(TABLE[0], xrefs=("UMLS:C9900003",))
    loaded = load_umls(shared / "knowledge/umls_format/example_rrf", (seed,))
    names = {c.concept_id: c.canonical_name for c in loaded.concepts}
    assert "UMLS:C9900001" in names
    assert names["UMLS:C9900001"] == "made-up quivering atria rhythm"
