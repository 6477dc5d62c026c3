import math

import torch
from torch.nn import functional as F

from merl_core.augment import Augmentation, augment
from merl_core.losses import statement_loss

NOTHING = Augmentation(
    gain=0, gain_unknown=0, lead_gain=0, chest_gain_unknown=0, filter_chance=0, noise_chance=0,
    lead_drop_chance=0, crop_chance=0, electrode_chance=0,
)  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ecgs(n: int = 4) -> torch.Tensor:
    t = torch.arange(1000) / 100
    waves = torch.stack([torch.sin(2 * math.pi * (1 + i) * t) for i in range(12)])
    return waves.expand(n, 12, 1000).clone()


def test_unknown_statements_do_not_count() -> None:
    logits = torch.randn(3, 4, generator=generator())
    targets = torch.tensor([[1, 0, math.nan, 1], [0, 0, math.nan, 1], [1, 1, math.nan, 0.0]])
    ones = torch.ones(4)
    changed = logits.clone()
    changed[:, 2] = 99
    torch.testing.assert_close(
        statement_loss(logits, targets, ones), statement_loss(changed, targets, ones)
    )


def test_with_every_statement_known_it_is_binary_cross_entropy() -> None:
    logits = torch.randn(3, 4, generator=generator())
    targets = (torch.rand(3, 4, generator=generator(1)) < 0.5).float()
    expected = F.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(statement_loss(logits, targets, torch.ones(4)), expected)


def test_a_pair_of_weight_two_counts_as_two_pairs() -> None:
    logits = torch.randn(1, 2, generator=generator())
    targets = torch.tensor([[0.0, 1.0]])
    weighted = statement_loss(logits, targets, torch.ones(2), torch.tensor([[2.0, 1.0]]))
    twice = statement_loss(logits[:, [0, 0, 1]], targets[:, [0, 0, 1]], torch.ones(3))
    torch.testing.assert_close(weighted * 2, twice * 3)


def test_no_strength_changes_nothing() -> None:
    x = ecgs()
    same = augment(x, torch.ones(4, dtype=torch.bool), 100.0, NOTHING, generator())
    torch.testing.assert_close(same, x, atol=1e-5, rtol=1e-5)


def test_the_same_generator_gives_the_same_ecgs() -> None:
    x, known = ecgs(), torch.ones(4, dtype=torch.bool)
    one, two = (augment(x, known, 100.0, Augmentation(), generator(5)) for _ in range(2))
    torch.testing.assert_close(one, two, atol=0, rtol=0)


def test_gain_varies_more_where_voltage_is_unknown() -> None:
    x = ecgs(400)
    spread = []
    for known in (True, False):
        flags = torch.full((400,), known)
        out = augment(x, flags, 100.0, Augmentation(crop_chance=0), generator())
        spread.append(float(out[:, :6].std(dim=(1, 2)).log().std()))
    assert spread[1] > 2 * spread[0]


def test_crops_blank_both_ends_alike() -> None:
    how = Augmentation(crop_chance=1.0, shortest_s=5.0)
    out = augment(ecgs(50), torch.ones(50, dtype=torch.bool), 100.0, how, generator())
    is_blank = (out == 0).all(dim=1)
    assert is_blank[:, 0].float().mean() > 0.8
    assert not is_blank[:, 300:700].any()
