"""PromptSet: equal content, equal id; a changed file is noticed."""

import json
from pathlib import Path

import pytest

from ckepe.errors import CkepeError
from ckepe.pipeline import PromptEngineer
from ckepe.prompt_set import (
    Evidence,
    Generator,
    LabelPrompt,
    Phrase,
    PromptSet,
    Relation,
    SourceVersion,
    read_prompt_set,
    read_shipped,
)
from knowledge_sources.label_sets import label_sets


def make_prompt_set(text: str = "left bundle branch block") -> PromptSet:
    evidence = Evidence(
        concept_id="ECG:left-bundle-branch-block",
        source="merl",
        version="1",
        matched="LBBB",
        score=1.0,
    )
    prompt = LabelPrompt(
        label="LBBB",
        meaning="left bundle branch block",
        is_grounded=True,
        concept_ids=("ECG:left-bundle-branch-block",),
        text=text,
        attributes=(
            Phrase(text="broad R in V6", relation=Relation.ATTRIBUTE, evidence=(evidence,)),
        ),
    )
    return PromptSet(
        generator=Generator(
            llm=None,
            templates={"prompt": "0" * 64},
            sources=(SourceVersion(key="merl", name="ECG statements", version="1"),),
        ),
        prompts=(prompt,),
    )


def test_equal_content_has_equal_id() -> None:
    assert make_prompt_set().id == make_prompt_set().id


def test_another_prompt_text_has_another_id() -> None:
    assert make_prompt_set().id != make_prompt_set("LBBB").id


def test_a_written_set_is_read_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text(make_prompt_set().to_json(), encoding="utf-8")
    assert read_prompt_set(path) == make_prompt_set()


def test_the_file_says_grounded_as_the_interface_promises() -> None:
    assert json.loads(make_prompt_set().to_json())["prompts"][0]["grounded"] is True


def test_a_file_changed_after_it_was_made_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    content = json.loads(make_prompt_set().to_json())
    content["prompts"][0]["text"] = "right bundle branch block"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CkepeError, match="does not match its content"):
        read_prompt_set(path)


def test_a_file_with_an_unknown_field_names_it(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    content = json.loads(make_prompt_set().to_json())
    content["prompts"][0]["weight"] = 2
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CkepeError, match=r"prompts\.0\.weight"):
        read_prompt_set(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CkepeError, match=r"nowhere\.json"):
        read_prompt_set(tmp_path / "nowhere.json")


def test_only_same_narrower_and_attribute_are_accepted() -> None:
    accepted = {relation for relation in Relation if relation.is_accepted}
    assert accepted == {Relation.SAME, Relation.NARROWER, Relation.ATTRIBUTE}


@pytest.mark.parametrize("name", list(label_sets()))
def test_the_shipped_set_is_what_the_pipeline_makes(name: str, engineer: PromptEngineer) -> None:
    shipped = read_shipped(name)
    made = engineer.engineer((), label_set=name, llm="off")
    assert [p.label for p in shipped.prompts] == [label.key for label in label_sets()[name].labels]
    assert shipped.texts == made.texts, "run `make prompts`"


def test_a_set_that_is_not_shipped_is_named() -> None:
    with pytest.raises(CkepeError, match="nothing"):
        read_shipped("nothing")
