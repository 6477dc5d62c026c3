from pathlib import Path

import pytest
import torch

from merl_core.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from merl_core.ensemble import MerlEnsemble, build_model, join_models, members_of
from merl_core.errors import CheckpointError
from merl_core.model import EcgConfig, MerlModel, ModelConfig

SMALL = ModelConfig(ecg=EcgConfig(depths=(1, 1), widths=(8, 8)), embed_dim=16)


def small_model(seed: int) -> MerlModel:
    torch.manual_seed(seed)
    return MerlModel(SMALL).eval()


def test_a_cosine_of_the_ensemble_is_the_mean_of_its_members_cosines() -> None:
    one, two = small_model(1), small_model(2)
    ensemble = join_models([one, two])
    x, texts = torch.randn(3, 12, 700), torch.randn(4, SMALL.text.width)
    with torch.inference_mode():
        together = ensemble.encode_ecg(x) @ ensemble.encode_text(texts).T
        alone = [m.encode_ecg(x) @ m.encode_text(texts).T for m in (one, two)]
        lengths = ensemble.encode_ecg(x).norm(dim=-1)
    torch.testing.assert_close(together, (alone[0] + alone[1]) / 2)
    torch.testing.assert_close(lengths, torch.ones(3))


def test_an_ensemble_measures_the_beats_once_for_all_members() -> None:
    config = SMALL.model_copy(update={"ecg": SMALL.ecg.model_copy(update={"beat_width": 4})})
    torch.manual_seed(0)
    members = [MerlModel(config).eval(), MerlModel(config).eval()]
    x = torch.randn(3, 12, 700)
    calls: list[int] = []
    members[0].beat_features.register_forward_hook(lambda *_: calls.append(0))
    members[1].beat_features.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        together = join_models(members).encode_ecg(x)
        assert calls == [0]
        alone = [member.encode_ecg(x) for member in members]
    torch.testing.assert_close(together, torch.cat(alone, dim=-1) / 2**0.5)


def test_a_single_model_stays_itself() -> None:
    model = small_model(1)
    assert join_models([model]) is model
    assert members_of(model) == [model]


def test_models_of_different_shape_are_not_joined() -> None:
    other = MerlModel(SMALL.model_copy(update={"embed_dim": 8}))
    with pytest.raises(CheckpointError, match="one configuration"):
        join_models([small_model(1), other])
    with pytest.raises(CheckpointError, match="at least one"):
        join_models([])


def test_an_ensemble_comes_back_from_its_folder(tmp_path: Path) -> None:
    ensemble = join_models([small_model(1), small_model(2)])
    config = CheckpointConfig(name="pair", model=ensemble.config)
    x = torch.randn(2, 12, 700)
    with torch.inference_mode():
        features = ensemble.encode_ecg(x)
        save_checkpoint(tmp_path, config, ensemble, features)
        loaded = load_checkpoint(tmp_path)
        again = loaded.model.encode_ecg(x)
    assert isinstance(loaded.model, MerlEnsemble)
    assert loaded.config.model.feature_dim == 32
    torch.testing.assert_close(again, features, atol=2e-3, rtol=1e-2)


def test_the_number_of_members_decides_what_is_built() -> None:
    assert isinstance(build_model(SMALL), MerlModel)
    assert len(members_of(build_model(SMALL.model_copy(update={"n_members": 3})))) == 3
