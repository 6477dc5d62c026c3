import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from merl_core.bulk import BulkRun, classify_in_bulk, shard_path
from merl_core.cli import app
from merl_core.engine import Engine
from merl_core.errors import MerlError
from merl_core.readers import read_record
from merl_core.simulated_files import write_simulated

PROMPTS = {"atrial fibrillation": "atrial fibrillation", "normal": "normal ECG"}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_simulated(folder, None, n_records=8, fs=100, duration_s=3.0, seed=5)
    (folder / "notes.txt").write_text("not an ECG")
    return folder


@pytest.fixture
def names(simulated: Path) -> list[str]:
    headers = sorted(path.name for path in simulated.glob("*.hea"))
    return [*headers[:3], "notes.txt", *headers[3:]]


@pytest.fixture
def run(simulated: Path, tiny_checkpoint: Path) -> BulkRun:
    return BulkRun(
        root=str(simulated),
        checkpoint=str(tiny_checkpoint),
        device="cpu",
        backend="torch-float32",
        prompts=PROMPTS,
        shard_size=4,
        output_format="ndjson",
    )


def rows_of(folder: Path) -> list[dict]:
    texts = [part.read_text() for part in sorted(folder.glob("part-*"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_every_file_is_a_row_with_the_engines_scores(
    run: BulkRun, names: list[str], simulated: Path, tmp_path: Path
) -> None:
    summary = classify_in_bulk(run, names, tmp_path / "out")
    assert summary == {"n_files": 9, "n_failed": 1, "n_shards": 3, "n_shards_before": 0}
    rows = rows_of(tmp_path / "out")
    assert [row["path"] for row in rows] == names
    expected = Engine(run.checkpoint, "cpu").classify(read_record(simulated / names[0]), PROMPTS)
    for item, score in zip(rows[0]["scores"], expected.scores, strict=True):
        assert item["label"] == score.label
        assert item["score"] == pytest.approx(score.score, abs=1e-5)
        assert item["percentile"] == score.percentile


def test_a_bad_file_is_a_row_with_its_error(run: BulkRun, names: list[str], tmp_path: Path) -> None:
    classify_in_bulk(run, names, tmp_path)
    bad = next(row for row in rows_of(tmp_path) if row["path"] == "notes.txt")
    assert bad["code"] == "unknown_format"
    assert bad["scores"] == []


def test_parquet_holds_the_same_rows(run: BulkRun, names: list[str], tmp_path: Path) -> None:
    classify_in_bulk(run, names, tmp_path / "lines")
    classify_in_bulk(replace(run, output_format="parquet"), names, tmp_path / "table")
    table = pq.read_table(tmp_path / "table" / "part-000000.parquet").to_pylist()
    lines = rows_of(tmp_path / "lines")[:4]
    assert [row["path"] for row in table] == [row["path"] for row in lines]
    assert table[0]["scores"][0]["score"] == pytest.approx(lines[0]["scores"][0]["score"])
    assert table[3]["error"] == lines[3]["error"]


def test_a_second_run_does_only_what_is_missing(
    run: BulkRun, names: list[str], tmp_path: Path
) -> None:
    classify_in_bulk(run, names, tmp_path)
    before = rows_of(tmp_path)
    shard_path(tmp_path, run, 1).unlink()
    kept = shard_path(tmp_path, run, 0).stat().st_mtime_ns
    assert classify_in_bulk(run, names, tmp_path)["n_shards_before"] == 2
    assert shard_path(tmp_path, run, 0).stat().st_mtime_ns == kept
    assert rows_of(tmp_path) == before


def test_a_folder_of_another_run_is_refused(run: BulkRun, names: list[str], tmp_path: Path) -> None:
    classify_in_bulk(run, names[:1], tmp_path)
    with pytest.raises(MerlError, match="holds another run: 'prompts' differs"):
        classify_in_bulk(replace(run, prompts={"a": "b"}), names[:1], tmp_path)
    with pytest.raises(MerlError, match="holds another run: 'n_files' differs"):
        classify_in_bulk(run, names, tmp_path)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_rows(
    run: BulkRun, names: list[str], simulated: Path, tmp_path: Path
) -> None:
    unbroken = tmp_path / "unbroken"
    single = replace(run, shard_size=1)
    classify_in_bulk(single, names, unbroken)
    manifest = tmp_path / "m.csv"
    manifest.write_text("\n".join(["path", *names]) + "\n")
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps(PROMPTS))
    output = tmp_path / "out"
    arguments = [
        "bulk", "classify", str(manifest), "--root", str(simulated), "--prompts", str(prompts),
        "--checkpoint", run.checkpoint, "--device", "cpu", "--format", "ndjson",
        "--shard-size", "1", "-o", str(output),
    ]  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-c", "from merl_core.cli import app; app()", *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list(output.glob("part-*")) and child.poll() is None:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    finished = len(list(output.glob("part-*")))
    assert finished >= 1
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n_shards_before"] == finished
    assert rows_of(output) == rows_of(unbroken)


@pytest.mark.slow
def test_two_processes_write_what_one_writes(
    run: BulkRun, names: list[str], tmp_path: Path
) -> None:
    classify_in_bulk(run, names, tmp_path / "one")
    classify_in_bulk(run, names, tmp_path / "two", n_workers=2)
    assert rows_of(tmp_path / "two") == rows_of(tmp_path / "one")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")
def test_ray_writes_what_one_process_writes(
    run: BulkRun, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15, its default, starves on a busy machine
    classify_in_bulk(run, names, tmp_path / "one")
    classify_in_bulk(run, names, tmp_path / "ray", on_ray=True)
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "one")


def test_classes_must_be_named_once(simulated: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["bulk", "classify", str(simulated / "manifest.csv"), "-o", str(tmp_path)]
    )
    assert result.exit_code == 2
    assert "--labels, --label-set and --prompts" in " ".join(result.output.split())
