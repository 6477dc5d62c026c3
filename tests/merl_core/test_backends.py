import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from merl_core.backends import make_backend
from merl_core.checkpoint import load_checkpoint
from merl_core.engine import Engine
from merl_core.ensemble import build_model
from merl_core.errors import MerlError
from merl_core.model import MerlModel, paper_config

CPU = torch.device("cpu")


@pytest.fixture
def model(tiny_checkpoint: Path) -> MerlModel:
    model = load_checkpoint(tiny_checkpoint).model
    assert isinstance(model, MerlModel)
    return model


def windows(n: int) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(n, 12, 1000)).astype(np.float32)
    drawn[:, :, :150] = 0
    return drawn


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("torch-bfloat16", 0.02), ("openvino-float32", 1e-5), ("openvino-bfloat16", 0.02)],
)
def test_a_backend_gives_the_plain_forwards_features(
    model: MerlModel, name: str, tolerance: float
) -> None:
    if name.startswith("openvino"):
        pytest.importorskip("openvino")
    expected = make_backend("torch-float32", model, CPU)(windows(5))
    found = make_backend(name, model, CPU)(windows(5))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("name", ["torch-float32", "openvino-float32", "openvino-bfloat16"])
def test_a_feature_does_not_depend_on_who_else_is_in_the_batch(model: MerlModel, name: str) -> None:
    if name.startswith("openvino"):
        pytest.importorskip("openvino")
    encode = make_backend(name, model, CPU)
    batch = windows(7)
    alone = np.concatenate([encode(window[None]) for window in batch])
    np.testing.assert_allclose(encode(batch), alone, atol=1e-5)


SIGNAL_AFTER_BACKENDS = """
import os, signal, sys
import torch
from merl_core.backends import make_backend
from merl_core.checkpoint import load_checkpoint

model = load_checkpoint(sys.argv[1]).model
one, two = (make_backend("openvino-float32", model, torch.device("cpu")) for _ in range(2))
del one
del two
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_signals_are_handled_after_openvino_backends_have_come_and_gone(
    tiny_checkpoint: Path,
) -> None:
    pytest.importorskip("openvino")
    command = [sys.executable, "-X", "faulthandler", "-c", SIGNAL_AFTER_BACKENDS, tiny_checkpoint]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "handled\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny"])
def test_the_papers_encoders_run_in_openvino(name: str) -> None:
    pytest.importorskip("openvino")
    torch.manual_seed(0)
    paper = build_model(paper_config(name)).eval()
    x = np.random.default_rng(0).random((3, 12, 5000)).astype(np.float32)
    expected = make_backend("torch-float32", paper, CPU)(x)
    np.testing.assert_allclose(make_backend("openvino-float32", paper, CPU)(x), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(900)  # a C++ compiler's work, on a busy machine
# torch's own compiler makes script methods while it is imported.
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
@pytest.mark.parametrize("name", ["merl-base", "resnet18"])
def test_the_compiled_forward_gives_the_plain_features(name: str) -> None:
    torch.manual_seed(0)
    config = load_checkpoint(name).config.model if name == "merl-base" else paper_config(name)
    chosen = build_model(config).eval()
    n_samples = config.signal.sig_len
    x = np.random.default_rng(0).random((5, 12, n_samples)).astype(np.float32)
    compiled = make_backend("torch-compile", chosen, CPU)
    for part in (x, x[:2]):
        expected = make_backend("torch-float32", chosen, CPU)(part)
        np.testing.assert_allclose(compiled(part), expected, atol=1e-4)


def test_the_engine_runs_the_backend_that_it_is_given(tiny_checkpoint: Path) -> None:
    pytest.importorskip("openvino")
    plain, fast = (
        Engine(tiny_checkpoint, "cpu", backend=name)
        for name in ("torch-float32", "openvino-float32")
    )
    np.testing.assert_allclose(
        fast.encode_windows(windows(3)), plain.encode_windows(windows(3)), atol=1e-5
    )


def test_an_unknown_backend_is_refused_by_name(tiny_checkpoint: Path) -> None:
    with pytest.raises(MerlError, match="unknown backend 'abacus', expected one of torch-float32"):
        Engine(tiny_checkpoint, "cpu", backend="abacus")


def test_openvino_on_another_device_is_refused(model: MerlModel) -> None:
    with pytest.raises(MerlError, match="runs on the CPU, not on 'meta'"):
        make_backend("openvino-float32", model, torch.device("meta"))
