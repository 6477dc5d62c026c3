import io
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

import api.assembly
import api.readers
from api.cli import app

from .conftest import ECG_BYTES, FakeReaders, fake_parts

runner = CliRunner()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.assembly, "load_parts", fake_parts)
    monkeypatch.setattr(api.readers, "load_readers", lambda settings: nullcontext(FakeReaders()))


@pytest.fixture
def ecg(tmp_path: Path) -> Path:
    path = tmp_path / "ecg.bin"
    path.write_bytes(ECG_BYTES)
    return path


def run(*arguments: Any) -> Any:
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_json_is_the_body_of_the_http_answer_one_line_a_record(ecg: Path) -> None:
    done = run("classify", ecg, ecg, "--labels", "atrial fibrillation; normal ECG", "--json")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 1  # one file named twice is one record
    assert {"record", "model", "prompt_set", "scores", "disclaimer"} <= set(lines[0])
    assert len(lines[0]["scores"]) == 2


def test_a_table_is_shown_without_json(ecg: Path) -> None:
    done = run("classify", ecg, "--labels", "normal ECG; zzz")
    assert "normal ECG" in done.stdout
    assert "no source" in done.stdout
    assert "Research use only" in done.stdout


def test_what_the_device_measured_and_printed_is_shown(ecg: Path) -> None:
    shown = " ".join(run("classify", ecg, "--labels", "normal ECG").stdout.split())
    assert "not used for the scores" in shown
    assert "heart_rate_bpm 72, pr_ms 150.5; Sinus rhythm" in shown


def test_a_broken_file_does_not_stop_the_others(ecg: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"BROKEN")
    done = run("classify", broken, ecg, tmp_path / "absent", "--labels", "a", "--json")
    assert done.exit_code == 1
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert first["error"]["code"] == "broken_file"
    assert len(second["scores"]) == 1
    assert third["error"]["code"] == "unreadable"


def test_no_classes_is_an_error(ecg: Path) -> None:
    done = run("classify", ecg)
    assert done.exit_code != 0
    assert "no class was named" in str(done.exception)


def test_the_drawing_is_written(ecg: Path, tmp_path: Path) -> None:
    done = run("classify", ecg, "--labels", "a", "--plot", tmp_path / "ecg.svg")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "ecg.svg").read_text().startswith("<svg")


def test_a_drawing_named_png_is_one(ecg: Path, tmp_path: Path) -> None:
    done = run("classify", ecg, "--labels", "a", "--plot", tmp_path / "ecg.PNG")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "ecg.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["ecg.svg", "ecg.png"])
def test_a_drawing_takes_the_options_of_the_service(ecg: Path, tmp_path: Path, name: str) -> None:
    options = ["--layout", "6x2", "--speed", "50", "--gain", "20", "--theme", "dark", "--start", 1]
    done = run("classify", ecg, "--labels", "a", "--plot", tmp_path / name, *options)
    assert done.exit_code == 0, done.output
    drawn = (tmp_path / name).read_bytes()
    if name.endswith("svg"):
        assert b"50 mm/s, 20 mm/mV" in drawn
        assert b"#14181d" in drawn
    else:
        image = Image.open(io.BytesIO(drawn))
        assert image.width == 6 * 520


def test_an_option_that_drawings_do_not_have_is_refused(ecg: Path, tmp_path: Path) -> None:
    done = run("classify", ecg, "--labels", "a", "--plot", tmp_path / "e.svg", "--gain", "7")
    assert done.exit_code == 2
    assert not (tmp_path / "e.svg").exists()


def test_drawings_of_several_records_go_into_a_folder(ecg: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(ecg.read_bytes())
    assert run("classify", ecg, other, "--labels", "a", "--plot", tmp_path / "e.svg").exit_code == 2
    folder = tmp_path / "drawings"
    folder.mkdir()
    assert run("classify", ecg, other, "--labels", "a", "--plot", folder).exit_code == 0
    assert {path.name for path in folder.iterdir()} == {f"{ecg.name}.svg", "other.bin.svg"}


def test_files_that_cannot_be_read_are_refused_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.assembly, "load_parts", None)
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"BROKEN")
    done = run("classify", broken, tmp_path / "absent", "--labels", "a", "--json")
    assert done.exit_code == 1
    codes = [json.loads(line)["error"]["code"] for line in done.stdout.splitlines()]
    assert codes == ["broken_file", "unreadable"]


def test_the_doctor_tries_a_classification(tmp_path: Path) -> None:
    done = run("doctor", "--json")
    findings = {item["name"]: item for item in json.loads(done.stdout)}
    assert findings["self-test"]["ok"], findings
    assert findings["language model"]["detail"] == "none set: knowledge-only mode"


def test_a_doctor_finding_that_fails_sets_the_exit_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MERL_LLM_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MERL_LLM_MODEL", "m")
    done = run("doctor", "--json")
    assert done.exit_code == 1
    assert "127.0.0.1:9" in done.stdout


def test_every_command_of_the_design_is_mounted() -> None:
    shown = run("--help").stdout
    for name in (
        "serve", "classify", "doctor", "prompts", "knowledge", "evaluate", "embed", "train",
        "checkpoint", "simulate", "bench",
    ):  # fmt: skip
        assert name in shown, name
