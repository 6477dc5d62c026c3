"""A label means what its own data set means by it."""

import csv
from pathlib import Path

import pytest

from knowledge_sources.errors import KnowledgeError
from knowledge_sources.label_sets import find_label, label_set, label_sets


@pytest.mark.parametrize(
    ("key", "meaning"),
    [
        ("csn:AF", "atrial flutter"),
        ("csn:AFIB", "atrial fibrillation"),
        ("csn:ST", "sinus tachycardia"),
        ("csn:SA", "sinus arrhythmia"),
        ("csn:VB", "ventricular bigeminy"),
        ("cpsc2018:STD", "ST depression"),
    ],
)
def test_the_same_letters_mean_different_things_in_different_sets(key: str, meaning: str) -> None:
    label = find_label(key)
    assert label is not None
    assert label.meaning == meaning
    assert label.key == key


def test_the_set_sizes_are_those_of_the_paper() -> None:
    sizes = {name: len(s.labels) for name, s in label_sets().items()}
    assert sizes == {
        "ptbxl_super": 5, "ptbxl_sub": 23, "ptbxl_form": 19, "ptbxl_rhythm": 12,
        "cpsc2018": 9, "csn": 38,
    }  # fmt: skip


@pytest.mark.parametrize("key", ["csn:STE", "csn:STTU", "ptbxl_form:DIG", "csn:TWC"])
def test_an_ambiguous_label_says_so(key: str) -> None:
    label = find_label(key)
    assert label is not None
    assert label.notes


def test_text_that_names_no_set_is_no_label() -> None:
    assert find_label("atrial flutter") is None
    assert find_label("note: atrial flutter") is None


def test_an_unknown_code_is_named_with_the_known_ones() -> None:
    with pytest.raises(KnowledgeError, match=r"'XYZ'.*AFIB"):
        find_label("csn:XYZ")


def test_an_unknown_set_is_named_with_the_known_ones() -> None:
    with pytest.raises(KnowledgeError, match=r"'chapman'.*csn"):
        label_set("chapman")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("ptbxl_super", "ptbxl/super_class/ptbxl_super_class_test.csv"),
        ("ptbxl_sub", "ptbxl/sub_class/ptbxl_sub_class_test.csv"),
        ("ptbxl_form", "ptbxl/form/ptbxl_form_test.csv"),
        ("ptbxl_rhythm", "ptbxl/rhythm/ptbxl_rhythm_test.csv"),
        ("cpsc2018", "icbeb/icbeb_test.csv"),
        ("csn", "chapman/chapman_test.csv"),
    ],
)
def test_codes_are_the_columns_of_the_published_splits(name: str, file: str, shared: Path) -> None:
    with (shared / "data/merl_splits/finetune/data_split" / file).open(newline="") as opened:
        columns = next(csv.reader(opened))
    codes = [label.code for label in label_set(name).labels]
    assert columns[-len(codes) :] == codes
