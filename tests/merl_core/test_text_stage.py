import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from merl_core.model import MerlModel, ModelConfig
from merl_core.targets import load_vocabulary
from merl_core.text_stage import (
    EncodedEcgs,
    Names,
    Reports,
    TextStage,
    adapt_texts,
    balanced_loss,
    encode_source,
    related,
    shows_all,
)

N_CONCEPTS = 3
WIDTH = 384


def test_an_ecg_shows_a_report_if_it_shows_all_that_it_says() -> None:
    nan = float("nan")
    targets = torch.tensor([[1, 1, 0], [1, 0, nan], [1, nan, 1], [nan, nan, nan]])
    says = torch.tensor([[True, True, False], [True, False, False], [False, True, True]])
    expected = torch.tensor([[1, 1, 0], [0, 1, 0], [nan, 1, nan], [nan, nan, nan]])
    torch.testing.assert_close(shows_all(targets, says), expected, equal_nan=True)


def test_shown_and_absent_weigh_the_same_in_the_balanced_loss() -> None:
    logits = torch.tensor([[2.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], [5.0, 1.0]])
    targets = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0], [float("nan"), 1.0]])
    expected = (F.softplus(torch.tensor(-2.0)) + F.softplus(torch.tensor(-1.0))) / 2
    torch.testing.assert_close(balanced_loss(logits, targets), expected)


def test_concepts_are_related_to_their_ancestors_alone() -> None:
    vocabulary = load_vocabulary()
    found = related(vocabulary)
    at = vocabulary.index
    assert torch.equal(found, found.T)
    assert not found.diagonal().any()
    assert found[at["inferior-myocardial-infarction"], at["myocardial-infarction"]]
    assert not found[at["inferior-myocardial-infarction"], at["atrial-fibrillation"]]


@pytest.fixture(scope="module")
def before(tiny_config: ModelConfig) -> MerlModel:
    torch.manual_seed(0)
    text = tiny_config.text.model_copy(update={"standardized": True})
    return MerlModel(tiny_config.model_copy(update={"text": text})).eval()


@pytest.fixture(scope="module")
def ecgs(before: MerlModel) -> EncodedEcgs:
    """60 ECGs that each show one of three concepts, far apart from those of the others."""
    rng = np.random.default_rng(1)
    shown = np.arange(60) % N_CONCEPTS
    centres = rng.normal(size=(N_CONCEPTS, before.config.embed_dim))
    features = centres[shown] + 0.1 * rng.normal(size=(60, before.config.embed_dim))
    targets = np.eye(N_CONCEPTS, dtype=np.float32)[shown]
    return EncodedEcgs(F.normalize(torch.from_numpy(features).float(), dim=-1), targets)


@pytest.fixture(scope="module")
def after(before: MerlModel, ecgs: EncodedEcgs) -> MerlModel:
    adapted = copy.deepcopy(before)
    adapt(adapted, ecgs)
    return adapted


def sentence_vectors(seed: int) -> torch.Tensor:
    return torch.randn(N_CONCEPTS, WIDTH, generator=torch.Generator().manual_seed(seed))


def adapt(model: MerlModel, ecgs: EncodedEcgs) -> None:
    adapt_texts(
        model,
        [ecgs],
        Names(sentence_vectors(0), np.arange(N_CONCEPTS)[:, None], sentence_vectors(0)),
        Reports(sentence_vectors(1), np.eye(N_CONCEPTS, dtype=bool)),
        TextStage(n_steps=120),
        is_related=torch.zeros(N_CONCEPTS, N_CONCEPTS, dtype=torch.bool),
        positive_weight=torch.ones(N_CONCEPTS),
        text_noise=0.1,
        label_smoothing=0.02,
        seed=3,
    )


@pytest.mark.parametrize("seed", [0, 1], ids=["names", "reports"])
def test_texts_come_to_lie_nearest_to_the_ecgs_that_show_them(
    after: MerlModel, ecgs: EncodedEcgs, seed: int
) -> None:
    with torch.no_grad():
        scores = ecgs.features @ after.encode_text(sentence_vectors(seed)).T
    assert torch.equal(scores.argmax(dim=1), torch.arange(60) % N_CONCEPTS)


def test_nothing_but_the_text_projection_changes(before: MerlModel, after: MerlModel) -> None:
    old, new = before.state_dict(), after.state_dict()
    changed = {name for name, value in new.items() if not torch.equal(value, old[name])}
    assert changed
    assert all(name.startswith("proj_t.") for name in changed), changed


def test_the_same_seed_adapts_to_the_same_weights(
    before: MerlModel, after: MerlModel, ecgs: EncodedEcgs
) -> None:
    again = copy.deepcopy(before)
    adapt(again, ecgs)
    for name, value in after.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_a_source_is_encoded_as_one_by_one(before: MerlModel) -> None:
    signals = np.random.default_rng(0).integers(-900, 900, (70, 12, 1000)).astype(np.int16)
    found = encode_source(before, signals, np.zeros((70, 1), np.float32))
    with torch.no_grad():
        last = before.encode_ecg(torch.from_numpy(signals[-1:].astype(np.float32) / 1000))
    torch.testing.assert_close(found.features[-1:], last, atol=1e-5, rtol=1e-4)
