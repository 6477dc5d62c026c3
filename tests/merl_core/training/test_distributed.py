import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from merl_core.checkpoint import load_checkpoint
from merl_core.losses import clip_loss
from merl_core.training.config import PairConfig
from merl_core.training.distributed import Group, gathered_clip_loss

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("one_update.py")
PAGE = ROOT / "docs" / "howto" / "training.md"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def run_processes(n: int, folder: Path, config: PairConfig, out: Path) -> dict[str, Any]:
    base = {**os.environ, "PYTHONPATH": str(ROOT), "MASTER_ADDR": "127.0.0.1"}
    base |= {"MASTER_PORT": str(free_port()), "WORLD_SIZE": str(n)}
    command = [sys.executable, str(SCRIPT), str(folder), str(out), config.model_dump_json()]
    started = [
        subprocess.Popen(command, env={**base, "RANK": str(rank)}, stderr=subprocess.PIPE)
        for rank in range(n)
    ]
    for process in started:
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors.decode()
    result: dict[str, Any] = torch.load(out)
    return result


@pytest.mark.slow
@pytest.mark.timeout(900)  # three processes that each load torch, on a busy machine
def test_two_processes_have_the_loss_and_gradients_of_one(
    prepared: Path, recipe: PairConfig, tmp_path: Path
) -> None:
    """With batch normalisation, and equal reports in the parts of both."""
    ecg = recipe.model.ecg.model_copy(update={"uma_dropout": 0.0})
    model = recipe.model.model_copy(update={"ecg": ecg})
    changes = {"model": model, "augmentation": None, "max_grad_norm": None, "batch_size": 16}
    config = recipe.model_copy(update={**changes, "learn_logit_scale": True})
    one = run_processes(1, prepared, config, tmp_path / "one.pt")
    two = run_processes(2, prepared, config, tmp_path / "two.pt")
    for name, loss in one["losses"].items():
        torch.testing.assert_close(two["losses"][name], loss, atol=1e-5, rtol=1e-5)
    assert one["gradients"].keys() == two["gradients"].keys()
    assert "merl.ecg_encoder.bn1.weight" in one["gradients"]
    for name, gradient in one["gradients"].items():
        torch.testing.assert_close(two["gradients"][name], gradient, atol=2e-5, rtol=1e-3, msg=name)
    running = "merl.ecg_encoder.bn1.running_var"
    torch.testing.assert_close(two["state"][running], one["state"][running], atol=1e-5, rtol=1e-4)


def test_the_gathered_loss_of_one_process_is_the_plain_loss() -> None:
    one, two = torch.randn(6, 8), torch.randn(6, 8)
    ids = torch.tensor([0, 1, 0, 2, 3, 3])
    same = ids[:, None] == ids[None]
    torch.testing.assert_close(gathered_clip_loss(one, two, 9.0, Group()), clip_loss(one, two, 9.0))
    torch.testing.assert_close(
        gathered_clip_loss(one, two, 9.0, Group(), ids), clip_loss(one, two, 9.0, same)
    )


def documented_launch(recipe: Path, data: Path, runs: Path) -> list[str]:
    """The page's own command, for two processes, with a recipe and folders of a test."""
    line = next(x for x in PAGE.read_text().splitlines() if x.startswith("torchrun "))
    words = shlex.split(line)
    words[words.index("--nproc-per-node") + 1] = "2"
    words[words.index("train") + 1] = str(recipe)
    words[words.index("--data") + 1] = str(data)
    words[words.index("-o") + 1] = str(runs)
    return [*words, "--device", "cpu", "--threads", "1"]


@pytest.mark.slow
@pytest.mark.timeout(900)  # three processes that each load torch, on a busy machine
def test_the_documented_launch_trains_in_two_processes_and_writes_one_checkpoint(
    prepared: Path, recipe_file: Path, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, module in (("merl", "api.cli"), ("torchrun", "torch.distributed.run")):
        program = programs / name
        program.write_text(
            f"#!{sys.executable}\nimport sys\nfrom {module} import main\nsys.exit(main())\n"
        )
        program.chmod(0o755)
    search = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
    done = subprocess.run(
        documented_launch(recipe_file, prepared, tmp_path / "runs"),
        env={**os.environ, "PATH": search, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "tiny"
    assert json.loads((run / "run.json").read_text())["n_processes"] == 2
    assert [path.parent for path in run.rglob("model.safetensors")] == [run / "tiny"]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 16))
    assert done.stdout.split() == [str(run / "tiny")]
    assert load_checkpoint(run / "tiny").config.training["n_processes"] == 2
