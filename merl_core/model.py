"""The two towers: ECG and text into one space, the paper's and our own by configuration alone."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from merl_core.encoders.beat import BeatFeatures, BeatReader
from merl_core.encoders.resnet1d import (
    PAPER_RESNETS,
    PAPER_WIDTHS,
    AttentionPool,
    Block,
    ResNet1d,
    StatisticsPool,
    TimeContext,
)
from merl_core.encoders.text import MODEL_SHA256
from merl_core.encoders.vit1d import PAPER_VITS, ViT1d
from merl_core.records import STANDARD_LEADS

MERL_LEADS: Final = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
"""Order of MIMIC-IV-ECG, and so of the paper's weights: aVF before aVL."""

MINILM: Final = "all-MiniLM-L6-v2"
_DEAD_SPREAD: Final = 1e-6
_NOT_OF_THE_ECG: Final = ("linear1", "linear2", "proj_t", "text_dropout")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SignalConfig(_Strict):
    """What the ECG tower takes in."""

    leads: tuple[str, ...] = STANDARD_LEADS
    fs: float = 100.0
    window_s: float = 10.0
    normalization: Literal["millivolt", "merl_minmax"] = "millivolt"
    low_hz: float | None = 0.5
    """Lower edge of the filter; None for no filter at all."""
    high_hz: float | None = 40.0
    keep_s: float | None = Field(default=None, gt=0)
    """Only the first seconds are kept and the rest of the window is zeros, as in the paper's
    evaluation on CPSC2018 (5 s); None for whole recordings."""

    @property
    def sig_len(self) -> int:
        """Samples of a window."""
        return round(self.fs * self.window_s)


class EcgConfig(_Strict):
    """The ECG tower: a residual network, or one of the paper's transformers."""

    vit: Literal["vit_tiny", "vit_small", "vit_middle", "vit_base"] | None = None
    """Takes the place of the residual network and of its pooling head."""
    block: Block = "basic"
    depths: tuple[int, ...] = (2, 2, 2, 2)
    widths: tuple[int, ...] = PAPER_WIDTHS
    kernel_size: int = 3
    stem_kernel_size: int = 7
    pool: Literal["attention", "statistics", "mean"] = "statistics"
    """The mean over time is that of an encoder without heads."""
    context_width: int = 0
    """Units of a recurrent layer in each direction before the statistics pool; 0 for none."""
    beat_width: int = Field(default=0, ge=0)
    """Units of the layers that read measurements of the mean beat, beside the residual network and
    its statistics pool; 0 for none."""
    beat_noise: float = Field(default=0.8, ge=0)
    """Noise on those measurements in training, as a share of each one's standard deviation."""
    n_heads: int = 4
    dropout: float = 0.0
    uma_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Of the two views of `uma_views`."""

    @model_validator(mode="after")
    def _check_depths(self) -> Self:
        if len(self.depths) != len(self.widths):
            msg = f"{len(self.depths)} depths do not match {len(self.widths)} widths"
            raise ValueError(msg)
        if self.beat_width and (self.vit is not None or self.pool != "statistics"):
            msg = "a beat reader stands beside a residual network with the statistics pool"
            raise ValueError(msg)
        return self


class TextConfig(_Strict):
    """The text tower: a frozen sentence encoder and what is trained behind it."""

    model: str = MINILM
    """This one, or the name of any text encoder of the Hugging Face hub, or its folder."""
    sha256: str = MODEL_SHA256["model.safetensors"]
    """Of the weights of all-MiniLM-L6-v2; empty for models of the hub."""
    revision: str = ""
    """Commit of the model's repository on the hub; empty for the newest."""
    pooling: Literal["mean", "cls", "pooler"] = "mean"
    """How tokens of a hub model become one vector."""
    n_adapted_layers: int = Field(default=0, ge=0)
    """Last layers that were trained; the checkpoint then holds their tensors."""
    width: int = 384
    """Length of a text's vector; 768 with words."""
    words: bool = False
    """Whether the mean of a text's word vectors, as all-MiniLM-L6-v2 takes them in, stands behind
    its sentence vector: opposites such as left and right differ in one word, which a vector of the
    whole sentence hardly shows."""
    hidden: int = 512
    dropout: float = 0.0
    prompt_pooling: Literal["whole", "name_and_whole"] = "name_and_whole"
    """Whether a prompt's feature is that of its text, or joined with that of its first phrase."""
    german: Literal["as_written", "in_english"] = "as_written"
    """Whether an engine says German phrases in English terms before it encodes them: an English
    sentence encoder knows few German words."""
    standardized: bool = False
    """Whether each number of a sentence vector is centred and scaled first, as over the training
    texts: sentences about ECGs lie close together, and what tells them apart is small."""

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        if self.words and self.model != MINILM:
            msg = f"words are those of {MINILM}, not of {self.model!r}"
            raise ValueError(msg)
        return self


MEDCPT: Final = TextConfig(
    model="ncbi/MedCPT-Query-Encoder",
    sha256="",
    revision="d83a36cc6b8e3a5c5e9d9d6ba156808c1643dcbc",
    pooling="pooler",
    width=768,
    hidden=256,
    prompt_pooling="whole",
)
"""The paper's text model: Med-CPT's query encoder, its pooled output."""


class ModelConfig(_Strict):
    """Everything that decides what a model computes."""

    signal: SignalConfig = SignalConfig()
    ecg: EcgConfig = EcgConfig()
    text: TextConfig = TextConfig()
    embed_dim: int = Field(default=256, gt=0)
    has_text: bool = True
    """False for an ECG encoder alone, whose features no text can be compared with."""
    n_members: int = Field(default=1, gt=0)
    """Models of this shape whose cosines are averaged."""

    @model_validator(mode="after")
    def _check_units(self) -> Self:
        if self.ecg.beat_width and self.signal.normalization != "millivolt":
            msg = f"a beat reader measures millivolts, not {self.signal.normalization!r}"
            raise ValueError(msg)
        return self

    @property
    def feature_dim(self) -> int:
        """Length of a feature: those of all members side by side."""
        return self.n_members * self.embed_dim


class MerlModel(nn.Module):
    """ECG tower and text tower with a learned temperature.

    Parameter names are those of the paper's released weights.

    Source: Liu et al. 2024 (MERL), section 3; code cheliu-computation/MERL-ICML2024.
    """

    text_mean: Tensor
    text_spread: Tensor

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ModelConfig()
        n_pooled = self._build_ecg_tower(config)
        if not config.has_text:
            if n_pooled != config.embed_dim:
                msg = f"an encoder alone gives {n_pooled} numbers, not {config.embed_dim}"
                raise ValueError(msg)
            return
        self.linear1 = nn.Linear(n_pooled, config.embed_dim, bias=False)
        self.linear2 = nn.Linear(n_pooled, config.embed_dim, bias=False)
        text = config.text
        hidden = text.hidden
        self.proj_t = nn.Sequential(
            nn.Linear(text.width, hidden), nn.GELU(), nn.Linear(hidden, config.embed_dim)
        )
        self.text_dropout = nn.Dropout(text.dropout)
        if text.standardized:
            self.register_buffer("text_mean", torch.zeros(text.width))
            self.register_buffer("text_spread", torch.ones(text.width))
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07))

    def _build_ecg_tower(self, config: ModelConfig) -> int:
        """Make the encoder and its head; return the length of the pooled feature."""
        ecg, embed_dim, n_leads = config.ecg, config.embed_dim, len(config.signal.leads)
        self.ecg_encoder: nn.Module
        if ecg.vit is not None:
            width, n_heads = PAPER_VITS[ecg.vit]
            self.ecg_encoder = ViT1d(n_leads, config.signal.sig_len, width=width, n_heads=n_heads)
            if not config.has_text:
                return width
            self.proj_e = nn.Sequential(
                nn.Linear(width, embed_dim),
                nn.BatchNorm1d(embed_dim),
                nn.ReLU(),
                nn.Linear(embed_dim, embed_dim),
                nn.BatchNorm1d(embed_dim),
            )
            return width
        encoder = ResNet1d(
            n_leads,
            block=ecg.block,
            depths=ecg.depths,
            widths=ecg.widths,
            kernel_size=ecg.kernel_size,
            stem_kernel_size=ecg.stem_kernel_size,
        )
        self.ecg_encoder = encoder
        self._stride = encoder.stride
        if ecg.pool == "mean":
            return encoder.n_out
        if ecg.pool == "attention":
            self.downconv = nn.Conv1d(encoder.n_out, embed_dim, 1)
            n_positions = math.ceil(config.signal.sig_len / encoder.stride)
            self.att_pool_head = AttentionPool(n_positions, embed_dim, ecg.n_heads)
        else:
            width = ecg.context_width
            self.context = TimeContext(encoder.n_out, width) if width else nn.Identity()
            self.pool = StatisticsPool(encoder.n_out, embed_dim, ecg.n_heads, ecg.dropout)
        if ecg.beat_width:
            self.beat_features = BeatFeatures(n_leads, config.signal.fs)
            self.beat = BeatReader(
                self.beat_features.n_features,
                ecg.beat_width,
                embed_dim,
                ecg.dropout,
                ecg.beat_noise,
            )
        return embed_dim

    def ecg_parameters(self) -> Iterator[nn.Parameter]:
        """Return the parameters that `project_ecg` uses: those of the encoder and its head."""
        for name, part in self.named_children():
            if name not in _NOT_OF_THE_ECG:
                yield from part.parameters()

    def measure(self, x: Tensor) -> Tensor | None:
        """Return the measurements (B, F) of windows that the beat reader takes; None without one.

        They hold no weights: all models of one signal configuration measure alike.
        """
        return self.beat_features(x) if self.config.ecg.beat_width else None

    def project_ecg(self, x: Tensor, measured: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the pooled and the projected ECG feature of windows (B, L, T).

        The projected one, (B, D), is what meets the text; the pooled one, (B, D'), is what the
        two views of `uma_views` are made of. Neither is normalised. `measured` is what `measure`
        returns, made here if it is not given.
        """
        pooled, parts = self.project_parts(x, measured)
        return pooled, join_parts(parts)

    def project_parts(
        self, x: Tensor, measured: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the pooled feature, and what each part of the tower projects, each (B, D).

        That of the network, and where there is one that of the beat reader.
        """
        h = self.ecg_encoder(x)
        if self.config.ecg.vit is not None:
            return h, [self.proj_e(h) if self.config.has_text else h]
        if self.config.ecg.pool == "mean":
            pooled = h.mean(dim=-1)
            return pooled, [pooled]
        if self.config.ecg.pool == "attention":
            h = self.downconv(h)  # (B, D, T')
            return h.mean(dim=-1), [self.att_pool_head(h)]
        h = self.context(h)
        projected = self.pool(h, _is_recorded(x, self._stride, h.shape[-1]))
        if not self.config.ecg.beat_width:
            return projected, [projected]
        measured = self.beat_features(x) if measured is None else measured
        return projected, [projected, self.beat(measured)]

    def forward(self, x: Tensor) -> Tensor:
        """Return `encode_ecg(x)`: what is compiled or exported."""
        return self.encode_ecg(x)

    def encode_ecg(self, x: Tensor, measured: Tensor | None = None) -> Tensor:
        """Return normalised ECG features of shape (B, D) for windows of shape (B, L, T).

        `measured` is what `measure` returns, made here if it is not given.
        """
        return F.normalize(self.project_ecg(x, measured)[1], dim=-1)

    def encode_text(self, text_vectors: Tensor) -> Tensor:
        """Return normalised text features of shape (N, D) for sentence vectors (N, width)."""
        return F.normalize(self.project_text(text_vectors), dim=-1)

    def project_text(self, text_vectors: Tensor) -> Tensor:
        """Return text features of shape (N, D), not normalised."""
        if self.config.text.standardized:
            text_vectors = (text_vectors - self.text_mean) / self.text_spread
        projected: Tensor = self.proj_t(self.text_dropout(text_vectors))
        return projected

    def standardize_texts(self, text_vectors: Tensor) -> None:
        """Centre and scale sentence vectors from now on as over these, of shape (N, width).

        A number that hardly varies over them carries rounding alone and is only centred.
        """
        spread = text_vectors.std(dim=0)
        self.text_mean.copy_(text_vectors.mean(dim=0))
        self.text_spread.copy_(spread.masked_fill(spread < _DEAD_SPREAD, 1.0))

    def uma_views(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Return two views of pooled ECG features, each with its own dropout in training."""
        share = self.config.ecg.uma_dropout
        one = F.dropout(self.linear1(pooled), share, self.training)
        two = F.dropout(self.linear2(pooled), share, self.training)
        return one, two


def join_parts(parts: Sequence[Tensor]) -> Tensor:
    """Return one feature (B, D) of those of the tower's parts: each counts alike, by direction."""
    if len(parts) == 1:
        return parts[0]
    return torch.stack([F.normalize(part.float(), dim=-1) for part in parts]).sum(dim=0)


def _is_recorded(x: Tensor, stride: int, n_positions: int) -> Tensor:
    """Return which output positions see a recorded sample, shape (B, T')."""
    is_sample = (x != 0).any(dim=1, keepdim=True).to(x.dtype)  # (B, 1, T)
    reached = F.max_pool1d(is_sample, stride, stride, ceil_mode=True)[:, 0, :n_positions]
    is_recorded = reached > 0
    return is_recorded | ~is_recorded.any(dim=1, keepdim=True)


def paper_encoder_config(name: str) -> ModelConfig:
    """Return the configuration of one of the paper's encoders without heads.

    Its feature is what the paper's linear probe sees: the encoder's output, mean over time.

    Raises:
        KeyError: There is no such model.
    """
    config = paper_config(name)
    if name in PAPER_VITS:
        width, ecg = PAPER_VITS[name][0], config.ecg
    else:
        width = PAPER_WIDTHS[-1] * (4 if config.ecg.block == "bottleneck" else 1)
        ecg = config.ecg.model_copy(update={"pool": "mean"})
    return config.model_copy(update={"ecg": ecg, "embed_dim": width, "has_text": False})


def paper_config(name: str) -> ModelConfig:
    """Return the configuration of one of the paper's models, such as `resnet18`.

    Raises:
        KeyError: There is no such model.
    """
    if name in PAPER_VITS:
        ecg = EcgConfig.model_validate({"vit": name})
    else:
        block, depths = PAPER_RESNETS[name]
        ecg = EcgConfig(block=block, depths=depths, pool="attention")
    signal = SignalConfig(
        leads=MERL_LEADS, fs=500.0, normalization="merl_minmax", low_hz=None, high_hz=None
    )
    return ModelConfig(signal=signal, ecg=ecg, text=MEDCPT)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable values."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def config_as_json(config: ModelConfig) -> dict[str, Any]:
    """Return a configuration as plain JSON values."""
    return config.model_dump(mode="json")
