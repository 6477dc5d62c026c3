"""Engine: a checkpoint ready for inference; records and prompts in, scores out."""

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from knowledge_sources.translation import say_german_in_english
from merl_core.backend_names import DEFAULT_BACKEND
from merl_core.backends import make_backend
from merl_core.checkpoint import Checkpoint, load_checkpoint
from merl_core.ensemble import DualEncoder
from merl_core.errors import CheckpointError, InvalidRecordError
from merl_core.preprocess import merl_minmax, prepare
from merl_core.records import Record, RecordWarning
from merl_core.text_tower import TextEncoder, load_text_encoder
from merl_core.zero_shot import first_phrase, join_windows, percentile_interval, percentiles

_MAX_CACHED_TEXTS: Final = 20_000
_MAX_CACHED_PROMPT_SETS: Final = 16
_BATCH: Final = 32


@dataclass(frozen=True, eq=False, slots=True)
class EncodedRecord:
    """ECG features of a recording, one row for each window."""

    features: NDArray[np.float32]
    """Shape (W, D), each row of length 1."""
    warnings: tuple[RecordWarning, ...]


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How well a recording fits one class."""

    label: str
    score: float
    """Cosine of ECG and prompt."""
    percentile: float | None
    """Place among the scores that the same prompt gets on the reference bank, 0 to 100."""
    percentile_interval: tuple[float, float] | None = None
    """95 % interval of the percentile, given how many recordings the bank holds."""
    probability: float | None = None
    """Only where a calibration was fitted for this prompt."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Classification:
    """Scores of a recording, in the order of the prompts."""

    scores: tuple[LabelScore, ...]
    warnings: tuple[RecordWarning, ...]


class Engine:
    """A checkpoint ready for inference; safe to share between threads.

    Args:
        checkpoint: A loaded checkpoint, its folder, or the name of a bundled one.
        device: `auto`, `cpu`, `cuda` or another torch device.
        text_folder: Where the sentence encoder's files are; None looks in its package.
        backend: What runs the ECG tower; one of `backend_names.BACKENDS`.

    Raises:
        CheckpointError: The checkpoint cannot be loaded, needs another sentence encoder, or
            the device does not exist.
        MerlError: The backend is unknown, not installed, or cannot use the device.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | str | Path = "merl-base",
        device: str = "auto",
        *,
        text_folder: Path | None = None,
        backend: str = DEFAULT_BACKEND,
    ) -> None:
        if not isinstance(checkpoint, Checkpoint):
            checkpoint = load_checkpoint(checkpoint)
        self.checkpoint = checkpoint
        self.config = checkpoint.config.model
        self._device = choose_device(device)
        self._model = fuse_batch_norm(checkpoint.model).to(self._device)
        self.backend = backend
        self._encode = make_backend(backend, self._model, self._device)
        self._text_folder = text_folder
        self._sentences: TextEncoder | None = None
        self._texts: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()
        self._bank = checkpoint.reference_bank.numpy()
        self._bank_scores = lru_cache(_MAX_CACHED_PROMPT_SETS)(self._score_bank)
        self._curves = {c.prompt: c for c in checkpoint.config.calibration.values()}

    @property
    def model_id(self) -> str:
        """Name of the checkpoint."""
        return self.checkpoint.config.name

    @property
    def sha256(self) -> str:
        """Hash of the weights."""
        return self.checkpoint.sha256

    @property
    def config_sha256(self) -> str:
        """Hash of the config file."""
        return self.checkpoint.config_sha256

    @property
    def n_reference(self) -> int:
        """Number of recordings in the reference bank."""
        return len(self._bank)

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return normalised text features of shape (N, D); texts seen before are not encoded.

        Raises:
            CheckpointError: The checkpoint is an ECG encoder alone, or its text model is not on
                this machine.
        """
        if not self.config.has_text:
            msg = f"checkpoint {self.model_id!r} is an ECG encoder alone: it cannot score texts"
            raise CheckpointError(msg)
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        with self._lock:
            new = {k: t for k, t in zip(keys, texts, strict=True) if k not in self._texts}
            if new:
                features = self._encode_new(list(new.values()))
                self._texts.update(zip(new, features, strict=True))
            found = [self._texts[key] for key in keys]
            for key in keys:
                self._texts.move_to_end(key)
            while len(self._texts) > _MAX_CACHED_TEXTS:
                self._texts.popitem(last=False)
        return np.stack(found) if found else np.zeros((0, self.config.feature_dim), np.float32)

    def encode_ecg(self, record: Record) -> EncodedRecord:
        """Return the features of a recording's windows.

        Raises:
            InvalidRecordError: The recording cannot be used; see `preprocess.prepare`.
        """
        windows, warnings = self.prepare(record)
        return EncodedRecord(self.encode_windows(windows), warnings)

    def prepare(self, record: Record) -> tuple[NDArray[np.float32], tuple[RecordWarning, ...]]:
        """Return the model's input for a recording, (W, L, T), and what was done to it."""
        signal = self.config.signal
        windows, warnings = prepare(
            record,
            signal.leads,
            signal.fs,
            signal.window_s,
            low=signal.low_hz,
            high=signal.high_hz,
            keep_s=signal.keep_s,
        )
        if signal.normalization == "merl_minmax":
            windows = np.stack([merl_minmax(window) for window in windows])
        return windows, warnings

    def encode_windows(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return normalised features of shape (N, D) for prepared windows (N, L, T)."""
        features = np.zeros((len(windows), self.config.feature_dim), dtype=np.float32)
        for start in range(0, len(windows), _BATCH):
            part = slice(start, start + _BATCH)
            features[part] = self._encode(windows[part])
        return features

    def classify(self, record: Record, prompts: Mapping[str, str]) -> Classification:
        """Return a score for each label.

        Args:
            record: The recording.
            prompts: Prompt text by label.

        Raises:
            InvalidRecordError: The recording cannot be used, or there is no prompt.
        """
        if not prompts:
            msg = "no prompts: expected at least one class"
            raise InvalidRecordError(msg, code="no_labels")
        encoded = self.encode_ecg(record)
        return self.score(encoded, prompts)

    def score(self, encoded: EncodedRecord, prompts: Mapping[str, str]) -> Classification:
        """Return a score for each label, for a recording that is encoded already."""
        texts = list(prompts.values())
        text_features = self.encode_text(texts)  # (C, D)
        scores = join_windows(encoded.features @ text_features.T, texts)
        places = self._percentiles(scores, texts)
        rows = tuple(
            LabelScore(
                label,
                float(score),
                place,
                self._interval(place),
                self._probability(prompt, float(score)),
            )
            for (label, prompt), score, place in zip(prompts.items(), scores, places, strict=True)
        )
        return Classification(rows, encoded.warnings)

    def _percentiles(self, scores: NDArray[np.float32], texts: Sequence[str]) -> list[float | None]:
        if len(self._bank) == 0:
            return [None] * len(scores)
        placed = percentiles(scores, self._bank_scores(tuple(texts)))
        return [round(float(place), 2) for place in placed]

    def _score_bank(self, texts: tuple[str, ...]) -> NDArray[np.float32]:
        """Return the scores of the reference bank, shape (N, C)."""
        return self._bank @ self.encode_text(texts).T

    def _interval(self, percentile: float | None) -> tuple[float, float] | None:
        if percentile is None:
            return None
        low, high = percentile_interval(percentile, self.n_reference)
        return round(low, 2), round(high, 2)

    def _probability(self, prompt: str, score: float) -> float | None:
        curve = self._curves.get(prompt)
        return None if curve is None else round(curve.probability(score), 4)

    def _encode_new(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._sentences is None:
            self._sentences = self._load_sentence_encoder()
        if self.config.text.german == "in_english":
            texts = [say_german_in_english(text) for text in texts]
        features = self._project_texts(texts)
        if self.config.text.prompt_pooling == "name_and_whole":
            features = features + self._project_texts([first_phrase(text) for text in texts])
            features /= np.linalg.norm(features, axis=-1, keepdims=True)
        return features

    def _project_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self._sentences is not None
        vectors = torch.from_numpy(self._sentences.embed(texts)).to(self._device)
        with torch.inference_mode():
            return self._model.encode_text(vectors).cpu().numpy()

    def _load_sentence_encoder(self) -> TextEncoder:
        return load_text_encoder(
            self.config.text, self._text_folder, str(self._device), self.checkpoint.text_delta
        )


def fuse_batch_norm(model: DualEncoder) -> DualEncoder:
    """Return a copy in eval mode with each batch normalisation folded into its convolution.

    The features are the same to float32 rounding; the forward has a third fewer passes over
    memory.
    """
    fused = copy.deepcopy(model).eval()
    for module in fused.modules():
        names = dict(module.named_children())
        for name, norm in names.items():
            if not isinstance(norm, nn.BatchNorm1d):
                continue
            before = str(int(name) - 1) if name.isdigit() else name.replace("bn", "conv")
            conv = names.get(before)
            if isinstance(conv, nn.Conv1d):
                setattr(module, before, fuse_conv_bn_eval(conv, norm))
                setattr(module, name, nn.Identity())
    return fused


def choose_device(name: str) -> torch.device:
    """Return the device of a name; `auto` is the GPU where there is one.

    Raises:
        CheckpointError: There is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        msg = f"device {name!r} cannot be used: {reason}"
        raise CheckpointError(msg) from error
    return device
