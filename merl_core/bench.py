"""Speed of inference: every backend and the plain float32 forward, side by side in one run."""

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from merl_core.checkpoint import load_checkpoint
from merl_core.engine import fuse_batch_norm
from merl_core.model import MerlModel, paper_config

Forward = Callable[[], Tensor]


def measure_backends(
    checkpoint: str | Path, batch_size: int = 16, seconds: float = 2.0, threads: int = 2
) -> dict[str, Any]:
    """Return ECG/s of each backend, and of the paper's ResNet18 at 500 Hz for comparison.

    Backends take turns in short rounds, so that a busy machine slows all of them alike.

    Args:
        checkpoint: A folder or a bundled name.
        batch_size: ECGs in a forward.
        seconds: Time for each backend.
        threads: Of torch.
    """
    torch.set_num_threads(threads)
    loaded = load_checkpoint(checkpoint)
    signal = loaded.config.model.signal
    x = torch.randn(batch_size, len(signal.leads), signal.sig_len)
    long = torch.randn(batch_size, 12, 5000)
    plain = loaded.model
    fused = fuse_batch_norm(plain)
    paper = MerlModel(paper_config("resnet18")).eval()

    def bfloat16() -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return fused.encode_ecg(x)

    backends: dict[str, Forward] = {
        "plain_float32": lambda: plain.encode_ecg(x),
        "engine": lambda: fused.encode_ecg(x),
        "bfloat16": bfloat16,
        "paper_resnet18_500hz": lambda: paper.encode_ecg(long),
    }
    speed = _measure(backends, batch_size, seconds)
    return {
        "checkpoint": loaded.config.name,
        "batch_size": batch_size,
        "threads": threads,
        "machine": platform.processor() or platform.machine(),
        "ecg_per_s": {name: round(value, 1) for name, value in speed.items()},
        "ratio_to_plain_float32": {
            name: round(value / speed["plain_float32"], 3) for name, value in speed.items()
        },
    }


def _measure(backends: dict[str, Forward], batch_size: int, seconds: float) -> dict[str, float]:
    spent = dict.fromkeys(backends, 0.0)
    encoded = dict.fromkeys(backends, 0)
    with torch.inference_mode():
        for forward in backends.values():
            forward()
        while min(spent.values()) < seconds:
            for name, forward in backends.items():
                started = time.perf_counter()
                forward()
                spent[name] += time.perf_counter() - started
                encoded[name] += batch_size
    return {name: encoded[name] / spent[name] for name in backends}
