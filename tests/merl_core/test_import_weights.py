from pathlib import Path

import pytest
import torch

from merl_core.checkpoint import load_checkpoint
from merl_core.errors import CheckpointError
from merl_core.import_weights import import_weights
from merl_core.model import MerlModel, paper_config


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    """What a released file of the whole model holds, its text model cut to one tensor."""
    torch.manual_seed(0)
    state = dict(MerlModel(paper_config("resnet18")).state_dict())
    del state["logit_scale"]
    state["ecg_encoder.linear.weight"] = torch.zeros(10, 512)
    state["ecg_encoder.linear.bias"] = torch.zeros(10)
    state["lm_model.embeddings.word_embeddings.weight"] = torch.zeros(2, 2)
    return state


def test_a_released_model_becomes_a_checkpoint(
    released: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({f"module.{key}": value for key, value in released.items()}, tmp_path / "a.pth")
    summary = import_weights(tmp_path / "a.pth", tmp_path / "out", "merl-resnet18")
    assert summary["encoder"] == "resnet18"
    assert summary["left_out"] == ["ecg_encoder", "lm_model"]
    checkpoint = load_checkpoint(tmp_path / "out")
    assert checkpoint.config.model.signal.normalization == "merl_minmax"
    assert checkpoint.config.model.signal.leads[4:6] == ("aVF", "aVL")
    expected = released["ecg_encoder.layer1.0.conv1.weight"]
    found = checkpoint.model.state_dict()["ecg_encoder.layer1.0.conv1.weight"]
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_a_missing_tensor_is_named(released: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({k: v for k, v in released.items() if k != "downconv.bias"}, tmp_path / "a.pth")
    with pytest.raises(
        CheckpointError, match=r"taken for resnet18, it lacks tensor 'downconv.bias'"
    ):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")


def test_an_unknown_tensor_is_named(released: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({**released, "optimizer": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="unexpected tensor 'optimizer'"):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")


def test_an_encoder_alone_is_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 12, 7)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="an ECG encoder alone"):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("owned",)

    torch.save({"a": Evil()}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="not a file of weights that is safe to load"):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_text("hello")
    with pytest.raises(CheckpointError, match=r"a.pth"):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")
