import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from merl_core.losses import clip_loss
from merl_core.model import EcgConfig, MerlModel, ModelConfig, TextConfig, paper_config
from merl_core.preprocess import merl_minmax
from merl_core.training.validation import retrieval

PAPER_MODELS = [
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "vit_tiny",
    "vit_small",
    "vit_middle",
    pytest.param("vit_base", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((shared / "golden" / "merl_reference.json").read_text())
    return content


def formula(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The reference file's rule for the value of a tensor."""
    seed = zlib.crc32(key.encode()) & 0xFFFFFFFF
    a = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    if key.endswith("running_var"):
        value = np.abs(a) + 0.5
    elif key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    elif len(shape) > 1:
        value = a / np.sqrt(np.prod(shape[1:]))
    else:
        value = 0.1 * a + (1 if key.endswith("weight") else 0)
    return torch.from_numpy(np.asarray(value, dtype=np.float32))


def draws(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    values = np.random.RandomState(seed).standard_normal(shape)
    return torch.from_numpy(values.astype(np.float32))


UNUSED = ("ecg_encoder.linear.weight", "ecg_encoder.linear.bias")
"""A classifier of ten classes, left over in the paper's residual networks."""
INPUT = draws(7, (3, 12, 5000))


def reference_model(name: str, keys: dict[str, list[int]]) -> MerlModel:
    model = MerlModel(paper_config(name)).eval()
    state = model.state_dict()
    state |= {key: formula(key, tuple(shape)) for key, shape in keys.items() if key not in UNUSED}
    model.load_state_dict(state)
    return model


@dataclass(frozen=True)
class Paper:
    """One of the paper's models with the weights of the formula, and what both give."""

    model: MerlModel
    reference: dict[str, Any]
    encoder_output: torch.Tensor
    pooled: torch.Tensor
    projected: torch.Tensor


@pytest.fixture(scope="module", params=PAPER_MODELS)
def paper(request: pytest.FixtureRequest, golden: dict[str, Any]) -> Paper:
    reference = golden["models"][request.param]
    model = reference_model(request.param, reference["keys"])
    seen: list[torch.Tensor] = []
    hook = model.ecg_encoder.register_forward_hook(lambda _module, _x, output: seen.append(output))
    with torch.inference_mode():
        pooled, projected = model.project_ecg(INPUT)
    hook.remove()
    return Paper(model, reference, seen[0], pooled, projected)


def agree(found: torch.Tensor, expected: list[Any]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=1e-4)


def test_the_papers_model_has_the_reference_tensors_but_for_what_it_never_uses(
    paper: Paper,
) -> None:
    keys, state = paper.reference["keys"], paper.model.state_dict()
    shapes = {name: list(value.shape) for name, value in state.items() if name != "logit_scale"}
    assert shapes == {name: shape for name, shape in keys.items() if name not in UNUSED}
    unused = sum(math.prod(shape) for name, shape in keys.items() if name in UNUSED)
    n_ours = sum(p.numel() for p in paper.model.parameters()) - 1  # the temperature
    assert n_ours + unused == paper.reference["n_parameters"]


def test_the_papers_encoder_gives_the_reference_output(paper: Paper) -> None:
    found = paper.encoder_output
    assert list(found.shape) == paper.reference["encoder_output_shape"]
    for value, name in ((found.mean(), "mean"), (found.std(), "std")):
        expected = paper.reference[f"encoder_output_{name}"]
        assert float(value) == pytest.approx(expected, abs=1e-4, rel=1e-4)


def test_the_papers_model_gives_the_reference_features_texts_and_views(paper: Paper) -> None:
    reference = paper.reference
    with torch.inference_mode():
        one, two = paper.model.uma_views(paper.pooled)
        text = paper.model.project_text(draws(8, (4, 768)))
    agree(paper.projected, reference["ecg_embedding"])
    agree(text[:, :32], reference["text_projection"])
    agree(one[:, :16], reference["uma_view1"])
    agree(two[:, :16], reference["uma_view2"])


def test_a_batch_of_one_gives_the_reference_features_of_many(paper: Paper) -> None:
    with torch.inference_mode():
        alone = paper.model.project_ecg(INPUT[2:])[1]
    agree(alone, paper.reference["ecg_embedding"][2:])


def test_the_loss_and_its_accuracies_equal_the_reference(golden: dict[str, Any]) -> None:
    one, two = draws(9, (6, 256)), draws(10, (6, 256))
    expected, own = golden["loss"], torch.arange(6)
    loss = clip_loss(one, two, 1 / expected["temperature"])
    assert float(loss) == pytest.approx(expected["clip_loss"], abs=1e-4)
    first = [retrieval(*pair, own)["val_recall_at_1"] for pair in ((one, two), (two, one))]
    assert 100 * sum(first) / 2 == pytest.approx(expected["acc1"], abs=1e-4)
    scores = F.normalize(one, dim=-1) @ F.normalize(two, dim=-1).T
    best = torch.cat([scores.topk(5).indices, scores.T.topk(5).indices])
    is_own = (best == own.repeat(2)[:, None]).any(dim=1)
    assert 100 * float(is_own.float().mean()) == pytest.approx(expected["acc5"], abs=1e-4)


def test_equal_reports_are_positives_of_each_other() -> None:
    one, two = draws(1, (4, 8)), draws(2, (4, 8))
    apart = torch.eye(4, dtype=torch.bool)
    torch.testing.assert_close(clip_loss(one, two, 5.0, apart), clip_loss(one, two, 5.0))
    same = apart.clone()
    same[0, 1] = same[1, 0] = True
    assert not torch.allclose(clip_loss(one, two, 5.0, same), clip_loss(one, two, 5.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny"])
def test_an_exported_program_gives_the_models_features(name: str, tmp_path: Path) -> None:
    model = MerlModel(paper_config(name)).eval()
    x = draws(5, (2, 12, 5000))
    batch = torch.export.Dim("batch", min=1, max=256)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    more = draws(6, (3, 12, 5000))
    with torch.inference_mode():
        torch.testing.assert_close(loaded(more), model(more), atol=1e-5, rtol=1e-4)


def test_our_own_encoder_can_be_exported_too() -> None:
    model = MerlModel(ModelConfig(ecg=EcgConfig(depths=(1,), widths=(8,)), embed_dim=16)).eval()
    x = draws(5, (2, 12, 1000))
    program = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(program(x), model(x), atol=1e-5, rtol=1e-4)


def test_our_encoder_takes_any_length() -> None:
    model = MerlModel(ModelConfig(ecg=EcgConfig(depths=(1, 1), widths=(8, 8)), embed_dim=16)).eval()
    with torch.inference_mode():
        assert model.encode_ecg(draws(4, (2, 12, 700))).shape == (2, 16)


def test_a_recurrent_layer_takes_any_length_and_any_batch() -> None:
    ecg = EcgConfig(depths=(1, 1), widths=(8, 8), context_width=4)
    model = MerlModel(ModelConfig(ecg=ecg, embed_dim=16)).eval()
    x = draws(4, (2, 12, 700))
    with torch.inference_mode():
        together, alone = model.encode_ecg(x), model.encode_ecg(x[:1])
        with torch.autocast("cpu", torch.bfloat16):
            low = model.encode_ecg(x)
    torch.testing.assert_close(alone, together[:1])
    torch.testing.assert_close(low.float(), together, atol=0.05, rtol=0.1)


def test_standardised_sentences_are_centred_and_scaled_before_the_projection() -> None:
    plain = MerlModel(ModelConfig(embed_dim=16)).eval()
    text = TextConfig(standardized=True)
    model = MerlModel(ModelConfig(text=text, embed_dim=16)).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    model.text_mean.fill_(0.5)
    model.text_spread.fill_(0.1)
    vectors = draws(7, (3, 384))
    with torch.inference_mode():
        torch.testing.assert_close(
            model.encode_text(0.5 + 0.1 * vectors), plain.encode_text(vectors)
        )


def test_a_number_that_never_varies_is_centred_and_not_blown_up() -> None:
    model = MerlModel(ModelConfig(text=TextConfig(standardized=True), embed_dim=16)).eval()
    vectors = draws(7, (5, 384))
    vectors[:, 3] = 1e-33 * torch.arange(5)
    model.standardize_texts(vectors)
    assert float(model.text_spread.min()) > 1e-3
    with torch.inference_mode():
        assert bool(model.encode_text(vectors).isfinite().all())


def test_minmax_keeps_the_reference_range() -> None:
    assert float(merl_minmax(draws(11, (12, 5000)).numpy()).max()) == pytest.approx(1, abs=1e-6)
