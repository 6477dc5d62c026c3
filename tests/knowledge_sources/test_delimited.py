"""Tables that users own are read whole or refused with line and column."""

from pathlib import Path

import pytest

from knowledge_sources.delimited import load_cdisc, load_scp_ecg
from knowledge_sources.errors import SourceFormatError


def test_scp_statements_keep_code_text_and_category(tmp_path: Path) -> None:
    path = tmp_path / "scp.csv"
    path.write_text('code,text,category\nLBBB,"left block, bundle branch",conduction\n')
    (concept,) = load_scp_ecg(path).concepts
    assert concept.concept_id == "SCP:LBBB"
    assert concept.canonical_name == "left block, bundle branch"
    assert concept.aliases[0].text == "LBBB"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("code,category\nA,b\n", "line 1, column text"),
        ("code,text,category\nA,,b\n", "line 2, column text: is empty"),
        ("code,text,category\nA,one,b\nA,two,b\n", "line 3, column code: 'SCP:A' is given twice"),
        ("code,text,category\nA,one\n", "line 2: expected 3 fields"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "scp.csv"
    path.write_text(content)
    with pytest.raises(SourceFormatError, match=message):
        load_scp_ecg(path)


def test_the_ecg_findings_of_the_sdtm_terminology_are_read(shared: Path) -> None:
    (path,) = (shared / "knowledge/cdisc_nci_ecg").glob("*.tsv")
    loaded = load_cdisc(path)
    assert len(loaded.concepts) > 230
    assert all(c.definition for c in loaded.concepts)
    assert loaded.source.citation
