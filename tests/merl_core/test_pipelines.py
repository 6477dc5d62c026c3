from pathlib import Path

import numpy as np
import pytest

from merl_core import ZeroShotPipeline, ZeroShotResult, pipeline
from merl_core.errors import CheckpointError, InvalidRecordError
from merl_core.records import STANDARD_LEADS, Record

LABELS = ["atrial fibrillation", "left bundle branch block", "normal ECG"]
EXAMPLE = Path(__file__).parents[2] / "api" / "web" / "example-ecg.csv"


@pytest.fixture(scope="module")
def classify(tiny_checkpoint_to_read: Path) -> ZeroShotPipeline:
    return pipeline(tiny_checkpoint_to_read, device="cpu")


def signal(seed: int = 0) -> np.ndarray:
    signal = np.random.default_rng(seed).normal(size=(12, 5000)).astype(np.float32)
    signal[2] = signal[1] - signal[0]
    signal[3] = -(signal[0] + signal[1]) / 2
    signal[4] = signal[0] - signal[1] / 2
    signal[5] = signal[1] - signal[0] / 2
    return signal


def test_a_file_gives_its_classes_from_the_highest_score(classify: ZeroShotPipeline) -> None:
    result = classify(EXAMPLE, candidate_labels=LABELS)
    assert {row["label"] for row in result} == set(LABELS)
    assert [row["score"] for row in result] == sorted((r["score"] for r in result), reverse=True)
    assert result.record.format == "csv"


def test_a_printed_result_names_classes_and_no_samples(classify: ZeroShotPipeline) -> None:
    printed = repr(classify(EXAMPLE, ["normal ECG"]))
    assert "'label': 'normal ECG'" in printed
    assert "array" not in printed


def test_an_array_is_scored_like_the_record_that_it_is(classify: ZeroShotPipeline) -> None:
    of_array = classify(signal(), LABELS, fs=500)
    of_record = classify(Record(signal(), STANDARD_LEADS, 500.0), LABELS)
    assert list(of_array) == list(of_record)


def test_leads_of_an_array_are_found_by_name(classify: ZeroShotPipeline) -> None:
    order = [*range(6, 12), *range(6)]
    shuffled = classify(signal()[order], LABELS, fs=500, leads=[STANDARD_LEADS[i] for i in order])
    plain = classify(signal(), LABELS, fs=500)
    assert [r["label"] for r in shuffled] == [r["label"] for r in plain]
    assert shuffled[0]["score"] == pytest.approx(plain[0]["score"], abs=1e-6)


def test_a_list_gives_a_list_and_each_as_if_alone(classify: ZeroShotPipeline) -> None:
    many = classify([signal(0), signal(1)], LABELS, fs=500)
    assert isinstance(many, list)
    alone = classify(signal(1), LABELS, fs=500)
    assert many[1][0]["score"] == pytest.approx(alone[0]["score"], abs=1e-6)
    assert classify([], LABELS) == []


def test_prompts_by_label_are_what_is_encoded(classify: ZeroShotPipeline) -> None:
    given = classify(signal(), {"x": "normal ECG"}, fs=500)
    plain = classify(signal(), ["normal ECG"], fs=500)
    assert given[0]["label"] == "x"
    assert given[0]["score"] == plain[0]["score"]
    assert given.prompts == {"x": "normal ECG"}


def test_a_template_words_the_prompt(classify: ZeroShotPipeline) -> None:
    result = classify(signal(), ["flutter"], fs=500, prompt_template="ECG showing {}")
    assert result.prompts == {"flutter": "ECG showing flutter"}


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (signal(), {}, "fs is missing"),
        (signal().T, {"fs": 500}, r"\(5000, 12\).*transpose"),
        (signal()[0], {"fs": 500}, r"expected \(12, n_samples\)"),
        (signal(), {"fs": 500, "leads": ["I", "II"]}, r"expected \(2, n_samples\)"),
    ],
)
def test_an_array_that_cannot_be_used_is_refused(
    classify: ZeroShotPipeline, array: np.ndarray, options: dict, message: str
) -> None:
    with pytest.raises(InvalidRecordError, match=message):
        classify(array, LABELS, **options)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ("normal ECG", {}, "expected a list"),
        ([], {}, "at least one"),
        (["a", "a"], {}, "twice"),
        (["a"], {"prompt_template": "an ECG"}, "has no {}"),
        (["a"], {"fs": 500}, "states its own"),
    ],
)
def test_wrong_arguments_are_refused(
    classify: ZeroShotPipeline, labels: list[str], options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        classify(EXAMPLE, labels, **options)


def test_an_unknown_checkpoint_is_named() -> None:
    with pytest.raises(CheckpointError, match="no-such"):
        pipeline("no-such")


def test_a_notebook_shows_drawing_classes_and_disclaimer(classify: ZeroShotPipeline) -> None:
    html = classify(EXAMPLE, ["<b>bold</b>", *LABELS])._repr_html_()
    assert "<svg" in html
    assert all(label in html for label in LABELS)
    assert "&lt;b&gt;bold" in html
    assert "Research use only" in html


def test_a_frame_has_a_line_a_class(classify: ZeroShotPipeline) -> None:
    result: ZeroShotResult = classify(EXAMPLE, LABELS)
    frame = result.to_frame()
    assert list(frame["label"]) == [row["label"] for row in result]
    assert "prompt" in frame.columns
