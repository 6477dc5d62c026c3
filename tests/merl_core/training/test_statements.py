import hashlib
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner

from merl_core.checkpoint import load_checkpoint
from merl_core.cli import app
from merl_core.corpus import Corpus
from merl_core.ensemble import members_of
from merl_core.errors import MerlError
from merl_core.train import train
from merl_core.train_config import load_train_config
from merl_core.training.run_folder import RunFolder

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("statement_run.py")


def _load_script() -> Any:
    spec = importlib.util.spec_from_file_location("statement_run", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SETUP = _load_script()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    made: Corpus = SETUP.make_corpus()
    return made


@pytest.fixture(scope="module")
def unbroken(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("statements") / "tiny"
    train(SETUP.RECIPE, corpus, RunFolder(folder))
    return folder


def weights_of(run: Path) -> str:
    return hashlib.sha256((run / "tiny" / "model.safetensors").read_bytes()).hexdigest()


def rows_of(run: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


class Interrupted(RunFolder):
    """Fails when a row of metrics is about to be written."""

    rows_left = 0

    def log(self, row: dict[str, Any]) -> None:
        if self.rows_left == 0:
            raise KeyboardInterrupt
        self.rows_left -= 1
        super().log(row)


def test_a_checkpoint_says_how_long_all_of_its_members_took(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr("merl_core.train.time", clock)
    train(SETUP.RECIPE, corpus, RunFolder(tmp_path / "tiny"))
    rows = map(json.loads, (tmp_path / "tiny" / "metrics.jsonl").read_text().splitlines())
    last = {row["member"]: row["seconds"] for row in rows}
    assert len(last) == 2
    described = json.loads((tmp_path / "tiny" / "tiny" / "config.json").read_text())
    assert described["training"]["result"]["seconds"] == sum(last.values()) > 0


def test_a_run_folder_says_what_was_run_on_what(unbroken: Path) -> None:
    content = json.loads((unbroken / "run.json").read_text())
    assert content["recipe"]["n_members"] == 2
    assert {name: part["n"] for name, part in content["data"].items() if name != "texts"} == {
        "real": 24, "simulated": 24, "reports": 24
    }  # fmt: skip
    assert all(len(part["sha256"]) == 64 for part in content["data"].values())
    assert {"commit", "torch"} <= content["environment"].keys()
    assert [row["step"] for row in rows_of(unbroken)] == list(range(1, 13))
    assert load_checkpoint(unbroken / "tiny").config.model.n_members == 2


@pytest.mark.parametrize("n_rows", [1, 3, 6, 9])
def test_an_interrupted_run_goes_on_to_the_same_weights(
    unbroken: Path, corpus: Corpus, tmp_path: Path, n_rows: int
) -> None:
    """Before the first state, in the first member, between both, and in the second."""
    folder = tmp_path / "tiny"
    broken = Interrupted(folder)
    broken.rows_left = n_rows
    with pytest.raises(KeyboardInterrupt):
        train(SETUP.RECIPE, corpus, broken)
    torch.manual_seed(99)
    train(SETUP.RECIPE, corpus, RunFolder(folder, resume=True))
    assert weights_of(folder) == weights_of(unbroken)
    assert rows_of(folder) == rows_of(unbroken)


def test_the_text_stage_of_trained_weights_changes_their_text_projection_alone(
    unbroken: Path, corpus: Corpus, tmp_path: Path
) -> None:
    stage = {"n_steps": 0, "start_from": str(unbroken / "tiny"), "seed": 11}
    train(SETUP.RECIPE.model_copy(update=stage), corpus, RunFolder(tmp_path))
    old = load_checkpoint(unbroken / "tiny").model.state_dict()
    new = load_checkpoint(tmp_path / "tiny").model.state_dict()
    changed = {name for name in new if not torch.equal(old[name], new[name])}
    weights = {f"members.{k}.proj_t.{layer}.weight" for k in (0, 1) for layer in (0, 2)}
    assert weights <= changed  # stored in 16 bits, a bias may round to what it was
    assert all(".proj_t." in name for name in changed), changed


def test_a_simulated_member_is_one_trained_without_real_recordings(
    corpus: Corpus, tmp_path: Path
) -> None:
    recipe = SETUP.RECIPE.model_copy(update={"text_stage": None, "n_simulated_members": 1})
    joined = train(recipe, corpus, RunFolder(tmp_path / "joined"))
    alone = recipe.model_copy(update={"n_members": 1, "seed": recipe.seed + 1})
    wanted = train(alone, replace(corpus, real=None), RunFolder(tmp_path / "alone"))
    mixed = train(alone.model_copy(update={"n_simulated_members": 0}), corpus, RunFolder(tmp_path))
    _, last = members_of(joined)
    states = [model.state_dict() for model in (last, wanted, mixed)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_simulated_members": 2}, "n_simulated_members is 2, n_members 1"),
        ({"n_simulated_members": 1, "n_simulated": 0}, "need n_simulated"),
    ],
)
def test_a_recipe_without_ecgs_for_its_members_is_refused(
    tmp_path: Path, fields: dict[str, int], message: str
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "tiny"} | fields))
    with pytest.raises(MerlError, match=message):
        load_train_config(path)


def test_a_finished_run_that_is_resumed_stays_as_it_is(
    unbroken: Path, corpus: Corpus, tmp_path: Path
) -> None:
    before = weights_of(unbroken), rows_of(unbroken)
    train(SETUP.RECIPE, corpus, RunFolder(unbroken, resume=True))
    assert (weights_of(unbroken), rows_of(unbroken)) == before


def test_a_run_goes_on_with_its_own_recipe_alone(unbroken: Path, corpus: Corpus) -> None:
    other = SETUP.RECIPE.model_copy(update={"learning_rate": 1e-4})
    with pytest.raises(MerlError, match="begun with another recipe"):
        train(other, corpus, RunFolder(unbroken, resume=True))


@pytest.mark.slow
@pytest.mark.timeout(900)  # three processes that each load torch, on a busy machine
def test_a_killed_run_goes_on_to_the_same_weights(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    start = [sys.executable, str(SCRIPT), str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*start, "begin"], env=env)
    metrics = folder / "metrics.jsonl"
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.is_file() and len(metrics.read_text().splitlines()) >= 3:
            break
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert 0 < len(metrics.read_text().splitlines()) < 12
    done = subprocess.run([*start, "resume"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert weights_of(folder) == weights_of(unbroken)
    assert rows_of(folder) == rows_of(unbroken)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume"], "no run to resume"),
        (["--data", "nowhere"], "'nowhere' holds neither 'ptb-xl' nor 'ptb-xl-zscored'"),
        ([], "name their folder with --data"),
    ],
)
def test_the_command_fails_with_one_line(tmp_path: Path, options: list[str], message: str) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump({"name": "tiny", "n_simulated": 0}))
    result = CliRunner().invoke(app, ["train", str(recipe), "-o", str(tmp_path), *options])
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
