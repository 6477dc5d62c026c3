import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from merl_core.checkpoint import load_checkpoint
from merl_core.errors import CheckpointError


def test_a_saved_checkpoint_loads_with_its_weights(tiny_checkpoint: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    stored = load_file(tiny_checkpoint / "model.safetensors")
    for name, tensor in checkpoint.model.state_dict().items():
        torch.testing.assert_close(tensor, stored[name].to(tensor.dtype))
    assert checkpoint.reference_bank.shape == (50, 24)
    assert not checkpoint.model.training


def test_an_unknown_name_lists_what_is_bundled() -> None:
    with pytest.raises(CheckpointError, match="'no-such' is neither a folder nor a bundled name"):
        load_checkpoint("no-such")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "reference_bank.safetensors"])
def test_an_absent_file_is_named(tiny_checkpoint: Path, name: str) -> None:
    (tiny_checkpoint / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(tiny_checkpoint)


@pytest.mark.parametrize("name", ["model.safetensors", "reference_bank.safetensors"])
def test_a_cut_off_file_is_named(tiny_checkpoint: Path, name: str) -> None:
    path = tiny_checkpoint / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(tiny_checkpoint)


def change_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    for name, tensor in changes.items():
        if tensor is None:
            del weights[name]
        else:
            weights[name] = tensor
    save_file(weights, path)


def test_a_missing_tensor_is_named(tiny_checkpoint: Path) -> None:
    change_weights(tiny_checkpoint, **{"conv1.weight": torch.zeros(1), "logit_scale": None})
    with pytest.raises(CheckpointError, match="lacks tensor 'logit_scale'"):
        load_checkpoint(tiny_checkpoint)


def test_an_unexpected_tensor_is_named(tiny_checkpoint: Path) -> None:
    change_weights(tiny_checkpoint, extra=torch.zeros(1))
    with pytest.raises(CheckpointError, match="has the unexpected tensor 'extra'"):
        load_checkpoint(tiny_checkpoint)


def test_a_wrong_shape_is_named(tiny_checkpoint: Path) -> None:
    change_weights(tiny_checkpoint, **{"linear1.weight": torch.zeros(3, 3)})
    with pytest.raises(CheckpointError, match=r"'linear1.weight' has shape \(3, 3\), expected"):
        load_checkpoint(tiny_checkpoint)


def test_weights_that_are_not_finite_are_refused(tiny_checkpoint: Path) -> None:
    change_weights(tiny_checkpoint, **{"linear1.weight": torch.full((24, 24), torch.nan)})
    with pytest.raises(CheckpointError, match=r"'linear1.weight' holds values that are not finite"):
        load_checkpoint(tiny_checkpoint)


def test_an_unknown_config_field_is_refused(tiny_checkpoint: Path) -> None:
    path = tiny_checkpoint / "config.json"
    config = json.loads(path.read_text())
    config["model"]["signal"]["lead_order"] = "mimic"
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"config.json: model.signal.lead_order"):
        load_checkpoint(tiny_checkpoint)


def test_another_format_version_is_refused(tiny_checkpoint: Path) -> None:
    path = tiny_checkpoint / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(CheckpointError, match="format version 99, expected 1"):
        load_checkpoint(tiny_checkpoint)
