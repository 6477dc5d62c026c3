"""Speed of inference: every backend and the plain float32 forward, side by side in one run."""

import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from merl_core.backend_names import BACKENDS, is_installed
from merl_core.backends import Encode, make_backend
from merl_core.checkpoint import load_checkpoint
from merl_core.engine import fuse_batch_norm
from merl_core.ensemble import DualEncoder, build_model
from merl_core.model import paper_config

PLAIN: Final = "plain-float32"
PAPER: Final = "paper-resnet18-500hz"
_CPU: Final = torch.device("cpu")

Forward = Callable[[], NDArray[np.float32]]


def measure_backends(
    checkpoint: str | Path,
    batch_size: int = 16,
    seconds: float = 2.0,
    threads: int = 2,
    *,
    with_compile: bool = False,
) -> dict[str, Any]:
    """Return ECG/s of each backend, and how near its features are to the plain forward's.

    `plain-float32` is the model as it was trained, called eagerly; the backends run it with batch
    normalisations folded into convolutions. `paper-resnet18-500hz` is the paper's smallest
    encoder at its rate. Backends take turns in short rounds, so that a busy machine slows all of
    them alike. A backend that is not installed is listed under `not_installed`.

    Args:
        checkpoint: A folder or a bundled name.
        batch_size: ECGs in a forward.
        seconds: Time for each backend.
        threads: Of torch and of OpenVINO.
        with_compile: Measure `torch-compile` too, which compiles for a minute or more.

    Returns:
        `ecg_per_s`, `ratio_to_plain_float32`, `cosine_to_plain_float32` (the lowest of the batch)
        and `largest_score_difference` by backend, and `one_ecg_on_one_core`: milliseconds for a
        batch of one on one thread, with its ratio to the paper's ResNet18.
    """
    torch.set_num_threads(threads)
    loaded = load_checkpoint(checkpoint)
    missing = [name for name in BACKENDS if not is_installed(name)]
    wanted = [n for n in BACKENDS if n not in missing and (with_compile or n != "torch-compile")]
    forwards = _make_forwards(loaded.model, wanted)
    windows = _windows(loaded.model, batch_size)
    long = _windows(build_model(paper_config("resnet18")), batch_size)
    calls = {
        name: _call(forward, long if name == PAPER else windows)
        for name, forward in forwards.items()
    }
    spent = _measure(calls, seconds)
    speed = {name: batch_size / value for name, value in spent.items()}
    reference = calls[PLAIN]()
    features = {name: call() for name, call in calls.items() if name != PAPER}
    return {
        "checkpoint": loaded.config.name,
        "sha256": loaded.sha256,
        "batch_size": batch_size,
        "threads": threads,
        "machine": platform.processor() or platform.machine(),
        "ecg_per_s": {name: round(value, 1) for name, value in speed.items()},
        "ratio_to_plain_float32": {n: round(v / speed[PLAIN], 3) for n, v in speed.items()},
        "cosine_to_plain_float32": {
            name: round(float((reference * found).sum(axis=1).min()), 6)
            for name, found in features.items()
        },
        "largest_score_difference": {
            name: float(np.abs((found - reference) @ _prompts(reference).T).max())
            for name, found in features.items()
        },
        "not_installed": missing,
        "one_ecg_on_one_core": _measure_one(loaded.model, wanted, seconds),
    }


def _make_forwards(model: DualEncoder, names: Sequence[str]) -> dict[str, Encode]:
    fused = fuse_batch_norm(model)
    paper = build_model(paper_config("resnet18")).eval()
    return {
        PLAIN: make_backend("torch-float32", model, _CPU),
        **{name: make_backend(name, fused, _CPU) for name in names},
        PAPER: make_backend("torch-float32", paper, _CPU),
    }


def _measure_one(model: DualEncoder, names: Sequence[str], seconds: float) -> dict[str, Any]:
    """Return what a single ECG costs on one thread: what a service's caller waits for."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        forwards = _make_forwards(model, [name for name in names if name != "torch-compile"])
        one, long = _windows(model, 1), _windows(build_model(paper_config("resnet18")), 1)
        calls = {n: _call(f, long if n == PAPER else one) for n, f in forwards.items()}
        spent = _measure(calls, seconds)
    finally:
        torch.set_num_threads(threads)
    return {
        "ms": {name: round(1000 * value, 2) for name, value in spent.items()},
        "ratio_to_paper_resnet18": {n: round(v / spent[PAPER], 3) for n, v in spent.items()},
    }


def _call(forward: Encode, windows: NDArray[np.float32]) -> Forward:
    return lambda: forward(windows)


def _windows(model: DualEncoder, n: int) -> NDArray[np.float32]:
    signal = model.config.signal
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, len(signal.leads), signal.sig_len)).astype(np.float32)


def _prompts(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return directions to score against: 200 drawn at random, of length 1."""
    drawn = np.random.default_rng(1).normal(size=(200, features.shape[1]))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    directions: NDArray[np.float32] = drawn.astype(np.float32)
    return directions


def _measure(calls: dict[str, Forward], seconds: float) -> dict[str, float]:
    """Return the seconds of a call: the median over rounds in which every backend has a turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    while min(map(sum, times.values())) < seconds:
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: float(np.median(values)) for name, values in times.items()}
