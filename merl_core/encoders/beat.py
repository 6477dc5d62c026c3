"""What a reader measures: the mean beat of a recording, its size in each lead, and its rhythm.

All of it is arithmetic without weights on tensors of any device, so that a model can hold it.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BEFORE_S: Final = 0.36
_AFTER_S: Final = 0.56
"""What is kept around a beat's steepest point."""
BASELINE_S: Final = (-0.14, -0.07)
_QRS_S: Final = (-0.09, 0.11)
_EARLY_S: Final = (-0.07, -0.01)
_LATE_S: Final = (0.03, 0.10)
_ST_S: Final = ((0.08, 0.10), (0.11, 0.13), (0.14, 0.16), (0.18, 0.20))
_T_S: Final = (0.13, 0.50)
_P_S: Final = (-0.30, -0.08)
_P_PARTS_S: Final = ((-0.30, -0.25), (-0.24, -0.20), (-0.19, -0.14), (-0.14, -0.08))
"""Seconds from a beat's steepest point; of wide and narrow beats alike, so they overlap."""
T_OF_RR: Final = 0.62
"""Share of the RR interval by which T has ended, and beyond which the next P may lie."""
_Q_MV: Final = (0.04, 0.06)
"""Depths between which a Q wave begins to count for its length."""
_PER_LEAD: Final = 25
_SCALARS: Final = 13
_REFRACTORY_S: Final = 0.26
_STEEP: Final = 0.35
"""Of the usual steepest slope: what counts as a beat."""
_MAX_BEATS: Final = 40
_ALIKE: Final = 6.0
"""Power of a beat's likeness to the mean beat, its weight in the second mean."""
_UNIT_MV: Final = 0.15
"""Amplitudes far below are kept as they are, far above by their logarithm."""
_NORM_MOMENTUM: Final = 0.02
_FARTHEST: Final = 5.0
"""Standard deviations from the mean that a measurement may count for."""


def find_beats(x: Tensor, fs: float) -> Tensor:
    """Return where beats are steepest, shape (B, T): 1 there and 0 elsewhere.

    Args:
        x: Shape (B, L, T), millivolts; zeros where nothing was recorded.
        fs: Samples per second.
    """
    slope = F.pad((x[..., 1:] - x[..., :-1]).abs().sum(dim=1, keepdim=True), (1, 0))  # (B, 1, T)
    width = 2 * round(0.025 * fs) + 1
    slope = F.avg_pool1d(slope, width, 1, width // 2)
    part = min(round(2 * fs), x.shape[-1])
    highest = F.max_pool1d(slope, part, part)[:, 0]  # (B, parts)
    highest = highest.sort(dim=-1, descending=True).values
    middle = ((highest > 0).sum(dim=-1, keepdim=True) - 1).clamp_min(0) // 2
    enough = _STEEP * highest.gather(1, middle)[:, None]  # (B, 1, 1)
    return (_is_peak(slope, fs) & (slope > enough))[:, 0].to(x.dtype)


def _is_peak(curve: Tensor, fs: float) -> Tensor:
    """Return where a curve (B, 1, T) is highest within the refractory time on both sides."""
    reach = round(_REFRACTORY_S * fs)
    return (curve == F.max_pool1d(curve, 2 * reach + 1, 1, reach)) & (curve > 0)


def _mean_around(x: Tensor, weight: Tensor, before: int, after: int) -> Tensor:
    """Return the weighted mean (B, L, before + after) of what surrounds the points of (B, T)."""
    sig_len = x.shape[-1]
    shifted = F.pad(weight, (after - 1, before)).unfold(1, sig_len, 1).flip(1)  # (B, W, T)
    is_recorded = (x != 0).any(dim=1, keepdim=True).to(x.dtype)  # (B, 1, T)
    total = torch.cat([x, is_recorded], dim=1) @ shifted.transpose(1, 2)  # (B, L + 1, W)
    return total[:, :-1] / total[:, -1:].clamp_min(1e-6)


def mean_beat(x: Tensor, fs: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean beat, where beats are, and how alike each is to the mean.

    Beats are laid over each other where they fit the first mean best; the second mean weighs them
    by their likeness to it, so that premature beats and artefacts hardly count.

    Args:
        x: Shape (B, L, T), millivolts.
        fs: Samples per second.

    Returns:
        Of shape (B, L, W); (B, T), 1 at beats; (B, T), 0 to 1 at beats.
    """
    found = find_beats(x, fs)
    reach = round(0.1 * fs)
    first = _mean_around(x, found, reach, reach)  # (B, L, 2r)
    padded = F.pad(x, (reach, reach - 1))
    fit = torch.einsum("bltw,blw->bt", padded.unfold(2, 2 * reach, 1), first)[:, None]
    energy = F.avg_pool1d((padded**2).sum(dim=1, keepdim=True), 2 * reach, 1) * 2 * reach
    size = (energy * (first**2).sum(dim=(1, 2))[:, None, None]).sqrt()
    near = round(0.04 * fs)
    candidate = F.max_pool1d(found[:, None], 2 * near + 1, 1, near) * fit.clamp_min(0)
    beats = _is_peak(candidate, fs)[:, 0].to(x.dtype)
    alike = (fit / size.clamp_min(1e-6)).clamp(0, 1)[:, 0] * beats
    before, after = round(BEFORE_S * fs), round(_AFTER_S * fs)
    return _mean_around(x, alike**_ALIKE, before, after), beats, alike


def _rhythm(x: Tensor, beats: Tensor, alike: Tensor, fs: float) -> tuple[Tensor, Tensor]:
    """Return the mean RR interval in seconds, (B, 1), and features of the rhythm, (B, 8)."""
    sig_len = x.shape[-1]
    n_kept = min(_MAX_BEATS, sig_len)
    clock = torch.arange(sig_len, device=x.device, dtype=x.dtype)
    place = torch.where(beats > 0, clock, clock.new_tensor(float(2 * sig_len)))
    place = place.topk(n_kept, dim=-1, largest=False, sorted=True).values  # (B, K)
    is_beat = (place < sig_len).to(x.dtype)
    known = is_beat[:, 1:]
    rr = (place[:, 1:] - place[:, :-1]) / fs * known
    n_rr = known.sum(dim=-1, keepdim=True)
    mean = rr.sum(dim=-1, keepdim=True) / n_rr.clamp_min(1)
    mean = torch.where(n_rr > 0, mean, torch.ones_like(mean))
    relative = torch.where(known > 0, rr / mean, torch.ones_like(rr))
    spread = (((relative - 1) ** 2 * known).sum(dim=-1, keepdim=True) / n_rr.clamp_min(1)).sqrt()
    step = (relative[:, 1:] - relative[:, :-1]) * known[:, 1:]
    jump = ((step**2).sum(dim=-1, keepdim=True) / (n_rr - 1).clamp_min(1)).sqrt()
    n_beats = beats.sum(dim=-1, keepdim=True)
    likeness = alike.sum(dim=-1, keepdim=True) / n_beats.clamp_min(1)
    strange = ((alike < 0.8) & (beats > 0)).sum(dim=-1, keepdim=True) / n_beats.clamp_min(1)
    rate = 1 / mean
    shortest = relative.amin(dim=-1, keepdim=True)
    longest = relative.amax(dim=-1, keepdim=True)
    return mean, torch.cat(
        [rate, mean, 5 * spread, 5 * jump, shortest, longest, 5 * (1 - likeness), strange], dim=-1
    )


class BeatFeatures(nn.Module):
    """Amplitudes of the mean beat in each lead, and the rhythm, as numbers of the order of 1.

    Args:
        n_leads: Leads of the input.
        fs: Samples per second.
    """

    def __init__(self, n_leads: int, fs: float) -> None:
        super().__init__()
        self.fs = fs
        self.n_features = n_leads * _PER_LEAD + _SCALARS

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Return features of shape (B, F), float32, for millivolts of shape (B, L, T)."""
        with torch.autocast(x.device.type, enabled=False):
            return self._measure(x.float())

    def _measure(self, x: Tensor) -> Tensor:
        beat, beats, alike = mean_beat(x, self.fs)
        rr_s, rhythm = _rhythm(x, beats, alike, self.fs)
        amplitudes, shape = self._amplitudes(beat, rr_s)
        return torch.cat([torch.asinh(amplitudes / _UNIT_MV), shape, rhythm], dim=-1)

    def _part(self, beat: Tensor, start_s: float, end_s: float) -> Tensor:
        first = round((BEFORE_S + start_s) * self.fs)
        return beat[..., first : round((BEFORE_S + end_s) * self.fs)]

    def _amplitudes(self, beat: Tensor, rr_s: Tensor) -> tuple[Tensor, Tensor]:
        """Return millivolts (B, 25 L), leads within each kind, and widths and times (B, 5)."""
        beat = beat - self._part(beat, *BASELINE_S).mean(dim=-1, keepdim=True)
        qrs = self._part(beat, *_QRS_S)
        clock = torch.arange(qrs.shape[-1], device=beat.device)
        top = qrs.argmax(dim=-1, keepdim=True)
        before = torch.where(clock < top, qrs, torch.zeros_like(qrs))
        after = torch.where(clock > top, qrs, torch.zeros_like(qrs))
        early = self._part(beat, *_EARLY_S)
        late = self._part(beat, *_LATE_S)
        shallow, deep = _Q_MV
        q_length = ((-shallow - before) / (deep - shallow)).clamp(0, 1).mean(dim=-1)
        t_wave, t_shape = self._t_wave(beat, rr_s)
        p_wave = self._part(beat, *_P_S)
        parts = [
            qrs.amax(dim=-1),
            qrs.amin(dim=-1),
            qrs.mean(dim=-1),
            before.amin(dim=-1),
            after.amin(dim=-1),
            early.amin(dim=-1),
            early.amax(dim=-1),
            early.mean(dim=-1),
            late.amin(dim=-1),
            late.amax(dim=-1),
            late.mean(dim=-1),
            q_length,
            *(self._part(beat, *place).mean(dim=-1) for place in _ST_S),
            *t_wave,
            p_wave.amax(dim=-1),
            p_wave.amin(dim=-1),
            *(self._part(beat, *place).mean(dim=-1) for place in _P_PARTS_S),
        ]
        slope = (qrs[..., 1:] - qrs[..., :-1]).abs().sum(dim=1)  # (B, W)
        steepest = slope.amax(dim=-1, keepdim=True).clamp_min(1e-6)
        width = [
            (slope > share * steepest).to(beat.dtype).sum(dim=-1, keepdim=True) / (0.08 * self.fs)
            for share in (0.1, 0.2)
        ]
        return torch.cat(parts, dim=-1), torch.cat([*width, *t_shape], dim=-1)

    def _t_wave(self, beat: Tensor, rr_s: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        wave = self._part(beat, *_T_S)
        time = _T_S[0] + torch.arange(wave.shape[-1], device=beat.device) / self.fs
        inside = (time < T_OF_RR * rr_s).to(beat.dtype)  # (B, W)
        wave = wave * inside[:, None]
        power = wave.square().sum(dim=1) + 1e-9  # (B, W)
        weight = power / power.sum(dim=-1, keepdim=True)
        centre = (weight * time).sum(dim=-1, keepdim=True)
        spread = (weight * (time - centre) ** 2).sum(dim=-1, keepdim=True).sqrt()
        at_peak = (wave * weight[:, None]).sum(dim=-1)
        high, low = wave.amax(dim=-1), wave.amin(dim=-1)
        return [high, low, at_peak], [4 * centre, centre / rr_s.sqrt() * 4, 10 * spread]


class BeatReader(nn.Module):
    """Layers that make an ECG feature of the mean beat's measurements.

    Args:
        n_features: Measurements.
        width: Units of the two hidden layers.
        embed_dim: Length of the feature.
        dropout: Before the second and the last layer, in training.
        noise: On the standardised measurements, in training.
    """

    def __init__(
        self, n_features: int, width: int, embed_dim: int, dropout: float, noise: float
    ) -> None:
        super().__init__()
        self.noise = noise
        self.norm = nn.BatchNorm1d(n_features, affine=False, momentum=_NORM_MOMENTUM)
        self.layers = nn.Sequential(
            nn.Linear(n_features, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, embed_dim),
        )

    def forward(self, measured: Tensor) -> Tensor:
        """Return features of shape (B, D) for measurements of shape (B, F)."""
        standard = self.norm(measured).clamp(-_FARTHEST, _FARTHEST)
        if self.training:
            standard = standard + self.noise * torch.randn_like(standard)
        out: Tensor = self.layers(standard)
        return out
