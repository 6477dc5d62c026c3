"""The paper's objective: ECG against report (CMA), and two views of an ECG (UMA)."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from merl_core.augment import augment
from merl_core.datasets.prepared import PreparedSet
from merl_core.encoders.text import pad_tokens
from merl_core.errors import MerlError
from merl_core.model import MerlModel
from merl_core.text_tower import TextEncoder, TextTower, embed_frozen, load_text_encoder
from merl_core.training.config import PairConfig
from merl_core.training.distributed import Group, gathered_clip_loss
from merl_core.training_data import embed_texts

UMA_LOGIT_SCALE: Final = 1 / 0.07
"""Source: Liu et al. 2024 (MERL), section 4.1."""


class PairModel(nn.Module):
    """Both towers, and the text model where its last layers are trained."""

    def __init__(self, model: MerlModel, tower: TextTower | None = None) -> None:
        super().__init__()
        self.merl = model
        self.tower = tower

    def forward(
        self, signals: Tensor, texts: Tensor, is_token: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return ECG and text features and two views, each (B, D), float32, not normalised.

        Args:
            signals: Shape (B, L, T).
            texts: Vectors (B, width), or tokens (B, T') where the text model is trained.
            is_token: Shape (B, T'), False at padding.
        """
        if self.tower is not None:
            texts = self.tower(texts, is_token)
        pooled, projected = self.merl.project_ecg(signals)
        text = self.merl.project_text(texts)
        one, two = self.merl.uma_views(pooled)
        return projected.float(), text.float(), one.float(), two.float()


@dataclass(eq=False, slots=True)
class Reports:
    """The distinct reports of a data set; each is encoded or tokenised once."""

    ids: Tensor
    """Shape (N,): which report each recording has."""
    texts: list[str]
    encoder: TextEncoder
    vectors: Tensor | None
    """Shape (M, width); None where the text model is trained."""
    tokens: list[list[int]]
    """Of each distinct report; empty where the text model is frozen."""

    def batch(self, rows: Tensor, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Return vectors, or padded tokens with their mask, of some recordings' reports."""
        ids = self.ids[rows]
        if self.vectors is not None:
            return self.vectors[ids].to(device), None
        tokens, is_token = pad_tokens([self.tokens[int(i)] for i in ids])
        tokens = tokens.masked_fill(~is_token, self.encoder.pad_id) if is_token is not None else (
            tokens
        )  # fmt: skip
        return tokens.to(device), None if is_token is None else is_token.to(device)

    def validation_vectors(self, rows: Tensor, tower: TextTower | None) -> Tensor:
        """Return vectors (B, width) of some recordings' reports, as the tower gives them now."""
        if self.vectors is not None:
            return self.vectors[self.ids[rows]]
        wanted, places = torch.unique(self.ids[rows], return_inverse=True)
        return self.encode([self.texts[int(i)] for i in wanted], tower)[places]

    def encode(self, texts: list[str], tower: TextTower | None) -> Tensor:
        """Return vectors (N, width) of any texts, as the text model gives them now."""
        if tower is None:
            return torch.from_numpy(self.encoder.embed(texts))
        return embed_frozen(tower, self.encoder, texts).cpu()


def load_reports(config: PairConfig, data: PreparedSet, cache: Path | None) -> Reports:
    """Return the reports of a data set with their vectors, kept in `cache` between runs.

    Raises:
        CheckpointError: The text model is not on this machine.
    """
    texts = sorted(set(data.reports))
    place = {text: i for i, text in enumerate(texts)}
    ids = torch.tensor([place[text] for text in data.reports])
    encoder = load_text_encoder(config.model.text)
    if config.unfrozen_text_layers:
        return Reports(ids, texts, encoder, None, encoder.tokenize(texts))
    return Reports(ids, texts, encoder, embed_texts(texts, cache, encoder), [])


def rows_with_report(data: PreparedSet, split: str) -> NDArray[np.int64]:
    """Return the places of a split's recordings that have a report: those that make a pair.

    Raises:
        MerlError: There are none.
    """
    rows = np.array([i for i in data.rows_of(split) if data.reports[i].strip()], dtype=np.int64)
    if rows.size == 0:
        msg = f"{data.folder}: no recording of split {split!r} has a report to train on"
        raise MerlError(msg)
    return rows


class PairBatches(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Signals of a batch, with their random changes, and the places that they come from.

    The changes follow from the seed and the batch itself, so they do not depend on which process
    or worker makes it, nor on where a run was interrupted.
    """

    def __init__(self, data: PreparedSet, config: PairConfig) -> None:
        self._data, self._config = data, config

    def __getitems__(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return signals (B, L, T) and rows (B,)."""
        signals = self._data.signals(rows)
        how = self._config.augmentation
        if how is not None:
            content = np.array([self._config.seed, *rows], dtype="<i8").tobytes()
            generator = torch.Generator().manual_seed(zlib.crc32(content))
            has_voltage = torch.ones(len(rows), dtype=torch.bool)
            fs = self._config.model.signal.fs
            signals = augment(signals, has_voltage, fs, how, generator)
        return signals, torch.as_tensor(rows)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        """Return a batch of one."""
        return self.__getitems__([row])


def pair_losses(
    features: tuple[Tensor, Tensor, Tensor, Tensor],
    report_ids: Tensor,
    model: MerlModel,
    config: PairConfig,
    group: Group,
) -> dict[str, Tensor]:
    """Return this process's share of `loss`, and of its parts `cma` and `uma`.

    Args:
        features: As `PairModel` returns them.
        report_ids: Shape (B,), equal for equal reports.
        model: Holds the temperature.
        config: Weights, and whether equal reports are positives.
        group: All processes.
    """
    ecg, text, one, two = features
    same = report_ids if config.equal_reports_are_positives else None
    parts: dict[str, Tensor] = {}
    total = ecg.new_zeros(())
    if config.cma_weight:
        parts["cma"] = gathered_clip_loss(ecg, text, model.logit_scale, group, same)
        total = total + config.cma_weight * parts["cma"]
    if config.uma_weight:
        parts["uma"] = gathered_clip_loss(one, two, UMA_LOGIT_SCALE, group)
        total = total + config.uma_weight * parts["uma"]
    return {"loss": total, **parts}
