import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from merl_core.checkpoint import load_checkpoint
from merl_core.cli import app
from merl_core.datasets.prepared import PreparedSet
from merl_core.engine import Engine
from merl_core.errors import MerlError
from merl_core.text_tower import load_text_encoder
from merl_core.training.config import PairConfig
from merl_core.training.launch import train_pairs
from merl_core.training.loop import PairTraining
from merl_core.training.pairs import Reports, load_reports, rows_with_report
from merl_core.training.run_folder import RunFolder
from merl_core.training.validation import retrieval

ROOT = Path(__file__).parents[3]
SIMULATED = str(ROOT / "merl_core" / "configs" / "merl-sim.yaml")


def weights_of(run: Path) -> str:
    return hashlib.sha256((run / "tiny" / "model.safetensors").read_bytes()).hexdigest()


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def losses_of(run: Path) -> list[float]:
    return [row["loss"] for row in rows_of(run) if "loss" in row]


@pytest.fixture(scope="module")
def unbroken(
    prepared: Path, shared_recipe: PairConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    torch.set_num_threads(1)
    run = tmp_path_factory.mktemp("runs") / "tiny"
    train_pairs(shared_recipe, prepared, run)
    return run


def test_a_run_folder_says_what_was_run(unbroken: Path, prepared: Path) -> None:
    content = json.loads((unbroken / "run.json").read_text())
    assert content["recipe"]["objective"] == "pairs"
    manifest = (prepared / "manifest.json").read_bytes()
    assert content["data"]["sha256"] == hashlib.sha256(manifest).hexdigest()
    assert content["data"]["n_train"] == 40
    assert {"commit", "torch", "n_threads"} <= content["environment"].keys()
    assert [row["step"] for row in rows_of(unbroken) if "loss" in row] == list(range(1, 16))


def test_the_loss_falls(prepared: Path, recipe: PairConfig, tmp_path: Path) -> None:
    config = recipe.model_copy(update={"n_epochs": 12, "learning_rate": 3e-3, "augmentation": None})
    train_pairs(config, prepared, tmp_path / "run")
    losses = losses_of(tmp_path / "run")
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_the_epoch_kept_is_the_one_of_lowest_validation_loss(unbroken: Path) -> None:
    values = {row["epoch"]: row["val_loss"] for row in rows_of(unbroken) if "val_loss" in row}
    kept = load_checkpoint(unbroken / "tiny").config.training["result"]["epoch"]
    assert len(values) == 3
    assert values[kept] == min(values.values())


@pytest.mark.parametrize(
    ("rule", "values", "kept"),
    [
        ("validation_loss", [2.0, 1.0, 1.5], [True, True, False]),
        ("retrieval", [0.2, 0.1, 0.3], [True, False, True]),
        ("last", [1.0, 2.0, 3.0], [True, True, True]),
    ],
)
def test_an_epoch_is_kept_by_the_rule_of_the_recipe(
    prepared: Path, recipe: PairConfig, tmp_path: Path, rule: str, values: list[float],
    kept: list[bool],
) -> None:  # fmt: skip
    config = recipe.model_copy(update={"select_by": rule})
    data = PreparedSet(prepared, config.model.signal)
    reports = load_reports(config, data, None)
    training = PairTraining(config, data, reports, RunFolder(tmp_path / "run"))
    name = "val_recall_at_10" if rule == "retrieval" else "val_loss"
    assert [training._is_best({name: value}) for value in values] == kept


def test_the_checkpoint_scores_recordings(unbroken: Path, prepared: Path) -> None:
    engine = Engine(unbroken / "tiny", "cpu")
    data = PreparedSet(prepared, engine.config.signal)
    features = engine.encode_windows(data.signals([0, 1]).numpy())
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-4)
    assert engine.checkpoint.reference_bank.shape == (4, 16)


def test_the_same_seed_gives_the_same_weights(
    unbroken: Path, prepared: Path, recipe: PairConfig, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    train_pairs(recipe, prepared, tmp_path / "again", n_workers=1)
    assert weights_of(tmp_path / "again") == weights_of(unbroken)


def command(*arguments: object) -> list[str]:
    code = "import sys; from merl_core.cli import app; app()"
    return [sys.executable, "-c", code, *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_killed_in_mid_epoch_goes_on_to_the_same_weights(
    unbroken: Path, prepared: Path, recipe_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "tiny"
    start = command("train", recipe_file, "--data", prepared, "-o", tmp_path, "--threads", 1,
                    "--device", "cpu")  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(start, env=env, stderr=subprocess.DEVNULL)
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 600  # minutes on a busy machine, to load torch
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.is_file() and len(metrics.read_text().splitlines()) >= 7:
            break
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    state = torch.load(run / "state.pt")
    assert process.returncode == -signal.SIGKILL
    assert 0 < state["step"] < 15
    with metrics.open("a") as stream:  # a row that was being written
        stream.write('{"step": 12, "lo')
    done = subprocess.run([*start, "--resume"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert losses_of(run) == losses_of(unbroken)
    assert weights_of(run) == weights_of(unbroken)


def test_a_run_is_neither_overwritten_nor_resumed_by_another_recipe(
    unbroken: Path, prepared: Path, recipe: PairConfig
) -> None:
    with pytest.raises(MerlError, match="holds a run: resume it, or name another folder"):
        train_pairs(recipe, prepared, unbroken)
    other = recipe.model_copy(update={"seed": 4})
    with pytest.raises(MerlError, match="begun with another recipe"):
        train_pairs(other, prepared, unbroken, resume=True)


def another_state() -> bytes:
    stream = io.BytesIO()
    torch.save({"step": 1}, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("state.pt", b"hello", "state.pt: the state cannot be read"),
        ("state.pt", b"", "state.pt: the state cannot be read"),
        ("state.pt", another_state(), "state.pt: not the state of this training"),
        ("run.json", b"{", "run.json' is not JSON"),
        ("run.json", b"[]", "begun with another recipe"),
    ],
)
def test_a_damaged_run_is_not_gone_on_with(
    unbroken: Path, prepared: Path, recipe: PairConfig, tmp_path: Path, file: str, content: bytes,
    message: str,
) -> None:  # fmt: skip
    run = tmp_path / "tiny"
    shutil.copytree(unbroken, run)
    metrics = (run / "metrics.jsonl").read_bytes()
    (run / file).write_bytes(content)
    with pytest.raises(MerlError, match=message):
        train_pairs(recipe, prepared, run, resume=True)
    assert (run / "metrics.jsonl").read_bytes() == metrics


def test_nothing_to_resume_is_said(prepared: Path, recipe: PairConfig, tmp_path: Path) -> None:
    with pytest.raises(MerlError, match="no run to resume"):
        train_pairs(recipe, prepared, tmp_path / "none", resume=True)


class Broken(PreparedSet):
    """Gives one recording without values."""

    def signals(self, rows: Any) -> torch.Tensor:
        x = super().signals(rows)
        x[1] = float("nan")
        return x


def test_a_loss_that_is_not_finite_names_the_recordings(
    prepared: Path, recipe: PairConfig, tmp_path: Path
) -> None:
    config = recipe.model_copy(update={"augmentation": None})
    data = Broken(prepared, config.model.signal)
    training = PairTraining(
        config, data, load_reports(config, data, None), RunFolder(tmp_path / "run")
    )
    with pytest.raises(MerlError, match=r"the loss is nan at step 1 \(epoch 1\); .* 400000"):
        training.fit()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_trains_close_to_full_precision(
    unbroken: Path, prepared: Path, recipe: PairConfig, tmp_path: Path, precision: str
) -> None:
    half = recipe.model_copy(update={"precision": precision, "n_epochs": 1})
    train_pairs(half, prepared, tmp_path / "half")
    np.testing.assert_allclose(losses_of(tmp_path / "half")[0], losses_of(unbroken)[0], rtol=0.03)


def test_tensorboard_gets_the_metrics(prepared: Path, recipe: PairConfig, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="extra `train` is not installed")
    config = recipe.model_copy(update={"n_epochs": 1})
    train_pairs(config, prepared, tmp_path / "run", tensorboard=True)
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_recordings_without_a_report_are_not_trained_on(prepared: Path, recipe: PairConfig) -> None:
    data = PreparedSet(prepared, recipe.model.signal)
    without = int(data.rows_of("train")[3])
    data.reports[without] = " "
    rows = rows_with_report(data, "train")
    assert len(rows) == len(data.rows_of("train")) - 1
    assert without not in rows
    data.reports = [""] * len(data)
    with pytest.raises(MerlError, match="no recording of split 'train' has a report"):
        rows_with_report(data, "train")


def test_a_report_is_found_among_distinct_ones() -> None:
    text = torch.eye(4)
    ids = torch.tensor([0, 1, 1, 3])
    ecg = text[[0, 1, 1, 0]]
    text = text[ids]
    found = retrieval(ecg, text, ids)
    assert found["val_recall_at_1"] == pytest.approx(0.75)
    assert found["val_recall_at_10"] == 1


def test_each_report_is_encoded_once_for_a_batch(prepared: Path, recipe: PairConfig) -> None:
    data = PreparedSet(prepared, recipe.model.signal)
    reports: Reports = load_reports(recipe, data, None)
    assert len(reports.texts) == len(set(data.reports))
    vectors, mask = reports.batch(torch.tensor([5, 5]), torch.device("cpu"))
    assert mask is None
    torch.testing.assert_close(vectors[0], vectors[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 64}, "40 training recordings are fewer than batch_size 64"),
        ({"model": {"signal": {"fs": 500}}}, "prepared with fs 100.0, the model takes 500.0"),
        ({"model": {"signal": {"leads": ["I", "V7"]}}}, "prepared without lead 'V7'"),
    ],
)
def test_data_that_do_not_fit_fail_with_one_line(
    prepared: Path, recipe_file: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    content = yaml.safe_load(recipe_file.read_text())
    recipe_file.write_text(yaml.safe_dump(content | change))
    result = CliRunner().invoke(
        app,
        ["train", str(recipe_file), "--data", str(prepared), "-o", str(tmp_path), "--threads", "1"],
    )
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.yaml"], "config 'absent.yaml' cannot be read"),
        (["{recipe}"], "name their folder with --data"),
        (["{recipe}", "--data", "nowhere"], "nowhere: no manifest.json: not a prepared data set"),
        (["{recipe}", "--data", "{data}", "--device", "cuda"], "device 'cuda' is not there"),
        (["{recipe}", "--data", "{data}", "--device", "gpu"], "expected auto, cpu or cuda"),
        ([SIMULATED, "--device", "cuda"], "trains by statements, on the processor: --device"),
        ([SIMULATED, "--tensorboard"], "--tensorboard is for pairs"),
    ],
)
def test_the_command_fails_with_one_line(
    prepared: Path, recipe_file: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    given = [text.format(recipe=recipe_file, data=prepared) for text in arguments]
    result = CliRunner().invoke(app, ["train", *given, "-o", str(tmp_path), "--threads", "1"])
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_last_layers_of_the_text_model_are_trained_and_kept(
    prepared: Path, recipe: PairConfig, tmp_path: Path
) -> None:
    config = recipe.model_copy(update={"unfrozen_text_layers": 1, "n_epochs": 2})
    train_pairs(config, prepared, tmp_path / "whole")
    checkpoint = load_checkpoint(tmp_path / "whole" / "tiny")
    assert checkpoint.config.model.text.n_adapted_layers == 1
    assert all(name.startswith("encoder.layer.5.") for name in checkpoint.text_delta)
    plain = load_text_encoder(config.model.text).embed(["sinus rhythm"])
    adapted = load_text_encoder(checkpoint.config.model.text, delta=checkpoint.text_delta)
    assert np.abs(adapted.embed(["sinus rhythm"]) - plain).max() > 1e-4
