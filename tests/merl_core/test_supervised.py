import numpy as np
import pytest

from merl_core.errors import MerlError
from merl_core.model import EcgConfig, ModelConfig, SignalConfig
from merl_core.supervised import SignalData, supervised

TINY = ModelConfig(
    signal=SignalConfig(window_s=1.0),
    ecg=EcgConfig(depths=(1, 1), widths=(8, 8)),
    embed_dim=8,
)


def drawn(n: int, seed: int) -> SignalData:
    """Two classes: a slow wave in lead I, a fast one in lead V1."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n, 2)) < 0.5).astype(float)
    signals = rng.normal(0, 0.2, (n, 12, 100)).astype(np.float32)
    time = np.arange(100) / 100
    for c, (lead, hz) in enumerate(((0, 3), (6, 12))):
        signals[:, lead] += (y_true[:, [c]] * np.sin(2 * np.pi * hz * time)).astype(np.float32)
    return SignalData(signals, y_true, tuple(str(i) for i in range(n)))


def test_an_encoder_learns_from_random_weights_and_better_from_more_labels() -> None:
    parts = drawn(200, 0), drawn(60, 1), drawn(80, 2)
    found = supervised(
        ("slow", "fast"), TINY, *parts, shares=(0.02, 1.0), seeds=(0,), n_epochs=10, n_bootstraps=20
    )
    few, all_of_them = found["shares"]
    assert few["n_train"] < all_of_them["n_train"] == 200
    assert few["macro_auroc"] < all_of_them["macro_auroc"]
    assert all_of_them["macro_auroc"] > 0.9
    assert [c["label"] for c in found["runs"][-1]["classes"]] == ["slow", "fast"]


def test_the_same_seed_gives_the_same_result_and_unknown_labels_carry_no_loss() -> None:
    train, validation, test = drawn(40, 0), drawn(20, 1), drawn(20, 2)
    train.y_true[20:, 0] = np.nan
    one, two = (
        supervised(
            ("slow", "fast"), TINY, train, validation, test,
            shares=(1.0,), seeds=(0,), n_epochs=1, n_bootstraps=10, precision="bfloat16",
        )
        for _ in range(2)
    )  # fmt: skip
    assert one == two
    assert one["runs"][0]["macro_auroc"] is not None


def test_an_empty_split_is_named() -> None:
    with pytest.raises(MerlError, match="needs validation recordings"):
        supervised(("a", "b"), TINY, drawn(20, 0), drawn(0, 1), drawn(20, 2))
