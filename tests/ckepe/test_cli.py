"""`merl prompts` and `merl knowledge` as a user types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ckepe.cli import knowledge_app, prompts_app
from ckepe.errors import CkepeError
from ckepe.pipeline import PromptEngineer


def _run(app: object, engineer: PromptEngineer, *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), obj=lambda _: engineer)  # type: ignore[arg-type]


def test_a_search_answers_with_identifiers_as_json(engineer: PromptEngineer) -> None:
    result = _run(knowledge_app, engineer, "search", "LBBB", "-k", "2", "--json")
    (first, _) = json.loads(result.stdout)
    assert set(first) == {"concept_id", "canonical_name", "source", "score", "matched", "xrefs"}
    assert "SNOMED:164909002" in first["xrefs"]


def test_a_batch_writes_one_list_a_line_also_for_empty_lines(
    tmp_path: Path, engineer: PromptEngineer
) -> None:
    (tmp_path / "queries.txt").write_text("LBBB\n\nVorhofflimmern\n", encoding="utf-8")
    result = _run(knowledge_app, engineer, "search", "--batch", str(tmp_path / "queries.txt"))
    lists = [json.loads(line) for line in result.stdout.splitlines()]
    assert [hits[0]["concept_id"] if hits else None for hits in lists] == [
        "ECG:left-bundle-branch-block", None, "ECG:atrial-fibrillation",
    ]  # fmt: skip


@pytest.mark.parametrize("identifier", ["ECG:left-bundle-branch-block", "SNOMED:164909002"])
def test_a_concept_is_shown_by_its_id_or_by_an_identifier_that_it_carries(
    identifier: str, engineer: PromptEngineer
) -> None:
    result = _run(knowledge_app, engineer, "show", identifier)
    assert json.loads(result.stdout)["concepts"][0]["canonical_name"] == "left bundle branch block"


def test_an_identifier_of_several_concepts_shows_none_of_them(engineer: PromptEngineer) -> None:
    result = _run(knowledge_app, engineer, "show", "SNOMED:102594003")
    assert isinstance(result.exception, CkepeError)
    assert "ECG:abnormal-ecg" in str(result.exception)


def test_phrases_are_judged_row_by_row(tmp_path: Path, engineer: PromptEngineer) -> None:
    (tmp_path / "pairs.tsv").write_text(
        "label\tphrase\nLBBB\tQRS 130 ms\nLBBB\tQRS under 100 ms\n", encoding="utf-8"
    )
    result = _run(prompts_app, engineer, "verify", str(tmp_path / "pairs.tsv"))
    header, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert header == ["label", "phrase", "verdict", "relation", "evidence", "reason"]
    assert [row[2] for row in rows] == ["accept", "reject"]


def test_a_row_without_a_label_is_named_with_its_line(
    tmp_path: Path, engineer: PromptEngineer
) -> None:
    (tmp_path / "pairs.tsv").write_text("label\tphrase\n\tQRS 130 ms\n", encoding="utf-8")
    result = _run(prompts_app, engineer, "verify", str(tmp_path / "pairs.tsv"))
    assert isinstance(result.exception, CkepeError)
    assert "line 2, column label" in str(result.exception)


def test_a_required_model_that_is_not_configured_is_an_error(engineer: PromptEngineer) -> None:
    result = _run(prompts_app, engineer, "generate", "LBBB", "--llm", "required")
    assert isinstance(result.exception, CkepeError)
    assert "MERL_LLM_BASE_URL" in str(result.exception)


@pytest.mark.parametrize("label", ["csn:STE", "csn:STTU", "ptbxl_form:DIG", "ptbxl_form:NDT"])
def test_an_ambiguous_label_says_so_in_the_set(label: str, engineer: PromptEngineer) -> None:
    result = _run(prompts_app, engineer, "generate", label, "--llm", "off")
    (prompt,) = json.loads(result.stdout)["prompts"]
    assert prompt["notes"]
