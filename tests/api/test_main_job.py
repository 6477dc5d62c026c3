"""The main job, over HTTP, with a real process and a real file."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from merl_core.readers import read_record
from merl_core.records import STANDARD_LEADS, Record
from merl_core.simulate import simulate

from .server import ROOT, dicom_of, running_server

pytestmark = pytest.mark.timeout(1000)
"""The first run builds the concept index; pytest's cache folder keeps it."""

LABELS = "atrial fibrillation; left bundle branch block; normal ECG"
PATIENT = "PLANTED^PATIENT"


@pytest.fixture(scope="module")
def dicom() -> bytes:
    batch = simulate([["atrial-fibrillation"]], n_records=1, fs=500, duration_s=10.0, seed=3)
    return dicom_of(Record(batch.signals[0], STANDARD_LEADS, 500.0), patient=PATIENT)


def classify(url: str, content: bytes, **data: Any) -> httpx.Response:
    files = {"file": ("ecg.dcm", content)}
    return httpx.post(f"{url}/classify", files=files, data=data, timeout=60)


def test_a_dicom_is_classified_against_classes_in_words(
    server: tuple[str, Path], dicom: bytes
) -> None:
    response = classify(server[0], dicom, labels=LABELS)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["record"]["format"] == "dicom"
    assert answer["record"]["fs"] == 500
    assert answer["record"]["leads"] == list(STANDARD_LEADS)
    assert {item["label"] for item in answer["scores"]} == set(LABELS.split("; "))
    assert all(item["grounded"] and item["percentile"] is not None for item in answer["scores"])
    assert answer["prompt_set"]["llm"] is None
    assert answer["disclaimer"]


def test_every_prompt_of_an_answer_has_its_evidence(server: tuple[str, Path], dicom: bytes) -> None:
    answer = classify(server[0], dicom, labels=LABELS).json()
    stored = httpx.get(f"{server[0]}/prompt-sets/{answer['prompt_set']['id']}").json()
    for prompt in stored["prompts"]:
        assert prompt["attributes"], prompt["label"]
        assert all(phrase["evidence"] for phrase in prompt["attributes"])


def test_a_label_that_no_source_knows_is_scored_bare(
    server: tuple[str, Path], dicom: bytes
) -> None:
    answer = classify(server[0], dicom, labels="zorgle flumph syndrome")
    assert answer.status_code == 200
    (score,) = answer.json()["scores"]
    assert (score["grounded"], score["prompt"]) == (False, "zorgle flumph syndrome")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"not an ECG at all", 415, "unknown_format"), (None, 422, "truncated_file")],
)
def test_bad_files_are_refused(
    server: tuple[str, Path], dicom: bytes, content: bytes | None, status: int, code: str
) -> None:
    answer = classify(server[0], content or dicom[: len(dicom) // 2], labels=LABELS)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert "Traceback" not in answer.text


def test_the_drawing_names_every_lead(server: tuple[str, Path], dicom: bytes) -> None:
    drawn = httpx.post(f"{server[0]}/plot", files={"file": ("e.dcm", dicom)}, timeout=60).text
    assert all(f">{lead}</text>" in drawn for lead in STANDARD_LEADS)


def test_the_example_on_the_page_is_simulated_and_readable() -> None:
    record = read_record(ROOT / "api" / "web" / "example-ecg.csv")
    assert (record.leads, round(record.duration_s)) == (STANDARD_LEADS, 10)


def test_no_patient_is_in_answers_log_or_data(
    server: tuple[str, Path], dicom: bytes, data_dir: Path
) -> None:
    url, log = server
    for content in (dicom, dicom[:-4000]):
        files = {"file": (f"{PATIENT}.dcm", content)}
        for path in ("/classify", "/classify/batch", "/plot"):
            httpx.post(f"{url}{path}", files=files, data={"labels": LABELS}, timeout=60)
        assert PATIENT not in classify(url, content, labels=LABELS).text
    assert PATIENT not in httpx.get(f"{url}/metrics").text
    assert PATIENT not in log.read_text()
    assert PATIENT.encode() not in (data_dir / "merl.db").read_bytes()


def test_the_readmes_command_asks_for_all_classes_that_it_names(server: tuple[str, Path]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^curl .*/classify$", text, re.MULTILINE)
    words = shlex.split(command.replace("127.0.0.1:8000", server[0].removeprefix("http://")))
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=120)
    scores = json.loads(done.stdout)["scores"]
    assert {row["label"] for row in scores} == set(LABELS.split("; "))


@pytest.mark.slow
def test_published_example_files_are_classified(server: tuple[str, Path], shared: Path) -> None:
    folder = shared / "data" / "formats"
    for name in ("dicom/pydicom_waveform_ecg.dcm", "scp/ecgtoolkit_Example.scp"):
        answer = classify(server[0], (folder / name).read_bytes(), labels=LABELS)
        assert answer.status_code == 200, (name, answer.text)


@pytest.mark.slow
def test_another_backend_gives_the_same_scores_and_is_named(
    server: tuple[str, Path], data_dir: Path, dicom: bytes
) -> None:
    pytest.importorskip("openvino")
    expected = classify(server[0], dicom, labels=LABELS).json()
    with running_server(data_dir, MERL_BACKEND="openvino-float32") as (url, _):
        found = classify(url, dicom, labels=LABELS).json()
    assert (expected["model"]["backend"], found["model"]["backend"]) == (
        "torch-float32",
        "openvino-float32",
    )
    scores = [{row["label"]: row["score"] for row in a["scores"]} for a in (expected, found)]
    assert scores[1] == pytest.approx(scores[0], abs=1e-4)


def test_a_wrong_setting_ends_the_program_with_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "serve"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "MERL_PORT": "eighty"},
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "MERL_PORT" in done.stderr
