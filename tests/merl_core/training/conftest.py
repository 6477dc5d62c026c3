"""A tiny prepared data set, and a recipe that trains on it in seconds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from merl_core.datasets.mimic_iv_ecg import load_mimic_iv_ecg
from merl_core.datasets.shards import Layout, write_shards
from merl_core.records import STANDARD_LEADS
from merl_core.training.config import PairConfig

LAYOUT = Layout(STANDARD_LEADS, 100.0, 10.0, 0.5, 40.0)
RECIPE = {
    "objective": "pairs",
    "name": "tiny",
    "seed": 3,
    "model": {
        "ecg": {"depths": [1, 1], "widths": [8, 16]},
        "text": {"hidden": 16},
        "embed_dim": 16,
    },
    "augmentation": {},
    "batch_size": 8,
    "n_epochs": 3,
    "warmup_steps": 2,
    "log_every": 1,
    "save_every": 1,
    "bank_size": 4,
}


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, mimic_builder: Callable[..., Path]) -> Path:
    """48 recordings of 24 patients in three shards, 8 of them for validation."""
    root = mimic_builder(tmp_path_factory.mktemp("mimic100"), n_records=48, fs=100)
    data = load_mimic_iv_ecg(root)
    data = replace(data, splits=("val",) * 8 + ("train",) * 40)
    folder = tmp_path_factory.mktemp("prepared")
    write_shards(data, root, folder, LAYOUT, shard_size=20)
    return folder


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory, mimic_builder: Callable[..., Path]) -> Path:
    """24 recordings, all for validation, with two classes of `ptbxl_super` and an empty one."""
    root = mimic_builder(tmp_path_factory.mktemp("labelled100"), n_records=24, fs=100)
    data = load_mimic_iv_ecg(root)
    rng = np.random.default_rng(1)
    y_true = np.c_[(rng.random((24, 2)) < 0.4).astype(float), np.zeros(24)]
    data = replace(
        data, splits=("val",) * 24, labels=("NORM", "MI", "HYP"), y_true=y_true,
        label_set="ptbxl_super",
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("labelled")
    write_shards(data, root, folder, LAYOUT, shard_size=20)
    return folder


@pytest.fixture(scope="session")
def shared_recipe() -> PairConfig:
    return PairConfig.model_validate(RECIPE)


@pytest.fixture
def recipe(shared_recipe: PairConfig) -> PairConfig:
    return shared_recipe


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path
