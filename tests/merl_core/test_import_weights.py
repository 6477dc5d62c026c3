import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from merl_core.checkpoint import load_checkpoint
from merl_core.engine import Engine
from merl_core.errors import CheckpointError
from merl_core.import_weights import import_weights
from merl_core.model import MerlModel, paper_config, paper_encoder_config

from .test_model import draws, formula


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
    kept = {k: t for k, t in checkpoint.model.state_dict().items() if k != "logit_scale"}
    for key, tensor in kept.items():
        assert torch.equal(tensor, released[key]), key


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


def test_an_encoder_alone_becomes_a_checkpoint_that_scores_no_text(
    released: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    alone = {k.removeprefix("ecg_encoder."): t for k, t in released.items() if "ecg_encoder." in k}
    torch.save(alone, tmp_path / "resnet18_encoder.pth")
    summary = import_weights(tmp_path / "resnet18_encoder.pth", tmp_path / "out", "x")
    assert (summary["encoder"], summary["has_text"]) == ("resnet18", False)
    engine = Engine(tmp_path / "out", "cpu")
    window = np.random.default_rng(0).random((1, 12, 5000), dtype=np.float32)
    assert engine.encode_windows(window).shape == (1, 512)
    with pytest.raises(CheckpointError, match="is an ECG encoder alone: it cannot score texts"):
        engine.encode_text(["atrial fibrillation"])


def test_a_transformer_alone_is_recognised(tmp_path: Path) -> None:
    model = MerlModel(paper_encoder_config("vit_tiny"))
    torch.save(model.ecg_encoder.state_dict(), tmp_path / "vit_tiny_encoder.pth")
    summary = import_weights(tmp_path / "vit_tiny_encoder.pth", tmp_path / "out", "x")
    assert summary["encoder"] == "vit_tiny"


def test_an_encoder_with_a_tensor_too_many_is_refused(tmp_path: Path) -> None:
    state = MerlModel(paper_encoder_config("vit_tiny")).ecg_encoder.state_dict()
    torch.save({**state, "head.weight": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"unexpected tensor 'ecg_encoder\.head\.weight'"):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")


def test_an_imported_model_names_its_text_model_at_a_revision(
    released: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save(released, tmp_path / "a.pth")
    import_weights(tmp_path / "a.pth", tmp_path / "out", "x")
    text = load_checkpoint(tmp_path / "out").config.model.text
    assert (text.model, text.pooling) == ("ncbi/MedCPT-Query-Encoder", "pooler")
    assert len(text.revision) == 40
    with pytest.raises(CheckpointError, match="hf download ncbi/MedCPT-Query-Encoder"):
        Engine(tmp_path / "out", "cpu").encode_text(["sinus rhythm"])


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("owned",)

    torch.save({"a": Evil()}, tmp_path / "a.pth")
    with pytest.raises(
        CheckpointError,
        match="or it holds more than tensors",
    ):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_text("hello")
    with pytest.raises(CheckpointError, match=r"a.pth"):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")


CONV = "ecg_encoder.layer1.0.conv1.weight"


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        (CONV, lambda t: t * torch.nan, "conv1.weight' holds values that are not finite"),
        (CONV, lambda t: t.int(), r"conv1.weight' is torch.int32 \(.*\), expected torch.float32"),
        (CONV, lambda t: t.to(torch.complex64), "is torch.complex64"),
        (CONV, lambda t: t.to_sparse(), "torch.sparse_coo"),
        (CONV, lambda t: t.to("meta"), "expected torch.float32"),
        ("ecg_encoder.bn1.running_var", lambda t: -t, "running_var' holds negative variances"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_a_tensor_of_another_kind_or_without_sense_is_named(
    released: dict[str, torch.Tensor],
    tmp_path: Path,
    key: str,
    change: Callable[[torch.Tensor], torch.Tensor],
    message: str,
) -> None:
    torch.save({**released, key: change(released[key])}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=message):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")
    assert not (tmp_path / "out").exists()


def test_what_wraps_a_model_is_taken_off_and_a_name_given_twice_is_refused(
    released: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    wrapped = {f"_orig_mod.module.{key}": tensor for key, tensor in released.items()}
    torch.save({"model_state_dict": wrapped}, tmp_path / "a.pth")
    assert import_weights(tmp_path / "a.pth", tmp_path / "out", "x")["encoder"] == "resnet18"
    torch.save({**released, "module.downconv.bias": torch.zeros(256)}, tmp_path / "b.pth")
    with pytest.raises(CheckpointError, match=r"'downconv.bias' is there twice"):
        import_weights(tmp_path / "b.pth", tmp_path / "out", "x")


def test_a_changed_byte_is_found(released: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(released, tmp_path / "a.pth")
    content = bytearray((tmp_path / "a.pth").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a.pth: damaged: the checksum of its part"):
        import_weights(tmp_path / "a.pth", tmp_path / "out", "x")


def test_an_imported_model_gives_the_reference_features(shared: Path, tmp_path: Path) -> None:
    golden = json.loads((shared / "golden" / "merl_reference.json").read_text())
    reference = golden["models"]["resnet18"]
    tensors = {key: formula(key, tuple(shape)) for key, shape in reference["keys"].items()}
    torch.save(tensors, tmp_path / "resnet18_ckpt.pth")
    import_weights(tmp_path / "resnet18_ckpt.pth", tmp_path / "out", "x")
    model = load_checkpoint(tmp_path / "out").model
    assert isinstance(model, MerlModel)
    with torch.inference_mode():
        _, found = model.project_ecg(draws(7, (3, 12, 5000)))
    expected = torch.tensor(reference["ecg_embedding"])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
