"""Speed of training: our update against a plain eager loop, bfloat16, and reads of batches.

    python -m benchmarks.training_speed [--seconds 20] [-o benchmarks/results/training_speed.json]

All ratios are of figures from one run on one machine.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import wfdb
from torch import Tensor, nn
from torch.nn import functional as F

from merl_core.datasets.manifest import Manifest
from merl_core.datasets.prepared import PreparedSet
from merl_core.datasets.shards import Layout, write_shards
from merl_core.model import MerlModel, SignalConfig
from merl_core.readers import read_record
from merl_core.simulated_files import write_simulated
from merl_core.training.config import PairConfig
from merl_core.training.loop import PairTraining
from merl_core.training.pairs import Reports
from merl_core.training.run_folder import RunFolder

SIGNAL = SignalConfig(fs=500, low_hz=None, high_hz=None)


class RandomText:
    """Stands for a sentence encoder: its vectors are cached before training anyway."""

    module = nn.Identity()
    pad_id = 0
    embedder_id = "random"
    embed_dim = 384


def plain_update(model: MerlModel, optimizer: torch.optim.Optimizer) -> Callable[..., None]:
    """The eager float32 loop that any tutorial writes for the same two losses."""

    def contrast(one: Tensor, two: Tensor) -> Tensor:
        logits = F.normalize(one, dim=-1) @ F.normalize(two, dim=-1).T / 0.07
        target = torch.arange(len(one))
        return F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)

    def update(signals: Tensor, vectors: Tensor) -> None:
        optimizer.zero_grad()
        pooled, projected = model.project_ecg(signals)
        loss = contrast(projected, model.proj_t(vectors)) + contrast(*model.uma_views(pooled))
        loss.backward()
        optimizer.step()

    return update


def recipe(precision: str, batch_size: int) -> PairConfig:
    return PairConfig.model_validate(
        {
            "objective": "pairs",
            "name": "speed",
            "model": {
                "signal": {"fs": 500, "low_hz": None, "high_hz": None},
                "ecg": {"pool": "attention"},
            },
            "batch_size": batch_size,
            "precision": precision,
            "max_grad_norm": 1.0,
        }
    )


def rounds(updates: dict[str, Callable[[], None]], seconds: float) -> dict[str, float]:
    """Return the median seconds of each update; they take turns, so that load meets all alike."""
    taken: dict[str, list[float]] = {name: [] for name in updates}
    for update in updates.values():
        update()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[next(iter(taken))]) < 5:
        for name, update in updates.items():
            started = time.perf_counter()
            update()
            taken[name].append(time.perf_counter() - started)
    return {name: float(np.median(values)) for name, values in taken.items()}


def measure_updates(data: PreparedSet, run: Path, batch: int, seconds: float) -> dict[str, Any]:
    vectors = torch.randn(len(data), 384)
    reports = Reports(torch.arange(len(data)), data.reports, RandomText(), vectors, [])  # type: ignore[arg-type]
    rows = torch.arange(batch)
    signals = data.signals(rows.numpy())
    torch.manual_seed(0)
    plain = MerlModel(recipe("float32", batch).model).train()
    update = plain_update(plain, torch.optim.AdamW(plain.parameters(), lr=1e-3))
    updates: dict[str, Callable[[], None]] = {"plain": lambda: update(signals, vectors[rows])}
    for precision in ("float32", "bfloat16"):
        config = recipe(precision, batch)
        training = PairTraining(config, data, reports, RunFolder(run / precision))
        training.model.train()
        updates[precision] = lambda one=training: one.update(signals, rows)  # type: ignore[misc]
    found = rounds(updates, seconds)
    return {
        "batch_size": batch,
        "plain_float32_records_per_s": round(batch / found["plain"], 2),
        "ours_float32_over_plain": round(found["plain"] / found["float32"], 3),
        "ours_bfloat16_over_plain": round(found["plain"] / found["bfloat16"], 3),
    }


def measure_reads(
    root: Path, data: PreparedSet, paths: list[str], batch: int, seconds: float
) -> Any:
    rng = np.random.default_rng(0)

    def draw() -> np.ndarray[Any, Any]:
        return rng.choice(len(paths), batch, replace=False)

    def by_wfdb() -> None:
        signals = [wfdb.rdsamp(str(root / paths[i]).removesuffix(".hea"))[0].T for i in draw()]
        torch.from_numpy(np.stack(signals).astype(np.float32))

    def by_reader() -> None:
        torch.from_numpy(np.stack([read_record(root / paths[i]).signal for i in draw()]))

    found = rounds(
        {"shards": lambda: data.signals(draw()), "wfdb": by_wfdb, "reader": by_reader},  # type: ignore[dict-item]
        seconds,
    )
    return {
        "batch_size": batch,
        "wfdb_records_per_s": round(batch / found["wfdb"], 1),
        "shards_records_per_s": round(batch / found["shards"], 1),
        "shards_over_wfdb": round(found["wfdb"] / found["shards"], 1),
        "shards_over_our_reader": round(found["reader"] / found["shards"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n = 128
        write_simulated(folder / "wfdb", None, n_records=n, fs=500, duration_s=10, seed=0)
        paths = sorted(p.name for p in (folder / "wfdb").glob("*.hea"))
        table = Manifest(
            tuple(paths), (), np.zeros((n, 0)), tuple(paths),
            splits=("val",) * 16 + ("train",) * (n - 16), reports=tuple(map(str, range(n))),
        )  # fmt: skip
        layout = Layout(SIGNAL.leads, 500.0, 10.0, None, None)
        started = time.perf_counter()
        write_shards(table, folder / "wfdb", folder / "shards", layout)
        prepared_per_s = n / (time.perf_counter() - started)
        data = PreparedSet(folder / "shards", SIGNAL)
        size, seconds = options.batch_size, options.seconds
        result = {
            "machine": platform.processor() or platform.machine(),
            "n_threads": options.threads,
            "torch": torch.__version__,
            "has_amx": torch.cpu._is_amx_tile_supported(),
            "has_avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
            "update_of_resnet18": measure_updates(data, folder / "runs", size, seconds),
            "reads": measure_reads(folder / "wfdb", data, paths, size, seconds / 2),
            "preparation_records_per_s": round(prepared_per_s, 1),
        }
    text = json.dumps(result, indent=2)
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
