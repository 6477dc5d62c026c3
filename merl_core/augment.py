"""Random changes of training ECGs that leave their findings alone, as devices make them."""

from dataclasses import dataclass

import torch
from torch import Tensor

_N_LIMB = 6


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly ECGs are changed."""

    gain: float = 0.12
    """Standard deviation of the log of a gain common to all leads."""
    gain_unknown: float = 0.35
    """The same where the source has lost absolute voltages."""
    lead_gain: float = 0.06
    chest_gain_unknown: float = 0.25
    filter_chance: float = 0.4
    """Of another device's filter: an upper edge of 15 to 40 Hz, a lower edge of 0.5 to 1 Hz."""
    noise_chance: float = 0.4
    noise_mv: float = 0.03
    lead_drop_chance: float = 0.15
    crop_chance: float = 0.3
    shortest_s: float = 5.0
    electrode_chance: float = 0.3
    """Of chest electrodes placed between their own and the next position."""


def augment(
    signals: Tensor,
    has_voltage: Tensor,
    fs: float,
    how: Augmentation,
    generator: torch.Generator,
) -> Tensor:
    """Return changed copies of ECGs.

    Args:
        signals: Shape (B, 12, T), millivolts, standard lead order.
        has_voltage: Shape (B,), False where absolute voltages are unknown.
        fs: Samples per second.
        how: Strengths and chances.
        generator: Of the random numbers.
    """
    x = signals * _gains(signals, has_voltage, how, generator)
    x = _shift_electrodes(x, how, generator)
    x = _filter_and_noise(x, fs, how, generator)
    x = _drop_leads(x, how, generator)
    return _crop(x, fs, how, generator)


def _uniform(size: tuple[int, ...], low: float, high: float, g: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=g)


def _gains(x: Tensor, has_voltage: Tensor, how: Augmentation, g: torch.Generator) -> Tensor:
    n, n_leads = x.shape[:2]
    unknown = ~has_voltage[:, None, None]
    common = torch.randn(n, 1, 1, generator=g)
    common = common * torch.where(unknown, how.gain_unknown, how.gain)
    spread = torch.full((n, n_leads, 1), float(how.lead_gain))
    spread[:, :_N_LIMB] *= 0.5
    chest = torch.zeros(1, n_leads, 1, dtype=torch.bool)
    chest[:, _N_LIMB:] = True
    spread = torch.where(unknown & chest, how.chest_gain_unknown, spread)
    return (common + spread * torch.randn(n, n_leads, 1, generator=g)).exp()


def _shift_electrodes(x: Tensor, how: Augmentation, g: torch.Generator) -> Tensor:
    n = len(x)
    amount = _uniform((n, 1, 1), 0, 0.3, g) * (
        torch.rand(n, 1, 1, generator=g) < how.electrode_chance
    )
    chest = x[:, _N_LIMB:]
    upward = torch.cat([chest[:, 1:], chest[:, -1:]], dim=1)
    downward = torch.cat([chest[:, :1], chest[:, :-1]], dim=1)
    neighbour = torch.where(torch.rand(n, 1, 1, generator=g) < 0.5, upward, downward)
    return torch.cat([x[:, :_N_LIMB], chest + amount * (neighbour - chest)], dim=1)


def _filter_and_noise(x: Tensor, fs: float, how: Augmentation, g: torch.Generator) -> Tensor:
    n, n_leads, sig_len = x.shape
    spectrum = torch.fft.rfft(x)
    hz = torch.fft.rfftfreq(sig_len, 1 / fs)
    noise = torch.randn(n, n_leads, sig_len, generator=g)
    tilt = _uniform((n, 1, 1), 0.0, 1.0, g)
    colour = torch.pow(hz.clamp_min(0.5) / 10, -tilt) * (hz >= 0.5)
    level = _uniform((n, 1, 1), 0, how.noise_mv, g)
    level = level * (torch.rand(n, 1, 1, generator=g) < how.noise_chance)
    spectrum = spectrum + level * colour * torch.fft.rfft(noise)
    upper = _uniform((n, 1, 1), 15, 45, g)
    lower = _uniform((n, 1, 1), 0.3, 1.0, g)
    shape = 1 / (1 + (hz / upper) ** 8) * (1 - 1 / (1 + (hz / lower) ** 4))
    use = torch.rand(n, 1, 1, generator=g) < how.filter_chance
    out: Tensor = torch.fft.irfft(spectrum * torch.where(use, shape, torch.ones(())), n=sig_len)
    return out


def _drop_leads(x: Tensor, how: Augmentation, g: torch.Generator) -> Tensor:
    n, n_leads = x.shape[:2]
    share = _uniform((n, 1, 1), 0, 0.35, g)
    share = share * (torch.rand(n, 1, 1, generator=g) < how.lead_drop_chance)
    return x * (torch.rand(n, n_leads, 1, generator=g) >= share)


def _crop(x: Tensor, fs: float, how: Augmentation, g: torch.Generator) -> Tensor:
    """Blank the ends of some ECGs, as a short recording centred in a window has them."""
    n, _, sig_len = x.shape
    shortest = min(1.0, how.shortest_s * fs / sig_len)
    share = _uniform((n, 1, 1), shortest, 1, g)
    share = torch.where(torch.rand(n, 1, 1, generator=g) < how.crop_chance, share, torch.ones(()))
    place = torch.arange(sig_len)
    start = ((1 - share) / 2 * sig_len).round()
    keep = (place >= start) & (place < sig_len - start)
    offset = (_uniform((n, 1), -0.5, 0.5, g) * 2 * start[:, :, 0]).round().long()
    source = (place[None] + offset).clamp(0, sig_len - 1)
    moved = torch.gather(x, 2, source[:, None].expand_as(x))
    return moved * keep
