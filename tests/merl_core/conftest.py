"""A tiny untrained checkpoint, for tests of what surrounds the weights."""

from pathlib import Path

import pytest
import torch

from merl_core.checkpoint import CheckpointConfig, save_checkpoint
from merl_core.model import EcgConfig, MerlModel, ModelConfig, TextConfig


@pytest.fixture(scope="session")
def tiny_config() -> ModelConfig:
    return ModelConfig(
        ecg=EcgConfig(depths=(1, 1, 1, 1), widths=(8, 8, 16, 16)),
        text=TextConfig(hidden=32),
        embed_dim=24,
    )


@pytest.fixture
def tiny_checkpoint(tmp_path: Path, tiny_config: ModelConfig) -> Path:
    torch.manual_seed(0)
    model = MerlModel(tiny_config)
    bank = torch.nn.functional.normalize(torch.randn(50, 24), dim=-1)
    folder = tmp_path / "tiny"
    save_checkpoint(
        folder, CheckpointConfig(name="tiny", model=tiny_config), model, bank, "# Tiny\n"
    )
    return folder
