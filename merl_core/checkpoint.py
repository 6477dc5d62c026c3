"""Checkpoint folders: weights, config, reference bank and model card; loaded strictly."""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from merl_core.ensemble import DualEncoder, build_model
from merl_core.errors import CheckpointError
from merl_core.model import ModelConfig

BUNDLED: Final = Path(__file__).parent / "checkpoints"
FORMAT_VERSION: Final = 1
WEIGHTS: Final = "model.safetensors"
CONFIG: Final = "config.json"
BANK: Final = "reference_bank.safetensors"
TEXT_DELTA: Final = "text_delta.safetensors"
CARD: Final = "MODEL_CARD.md"


class Calibration(BaseModel):
    """From the score of one class to its probability: a curve of log odds.

    Straight between the given scores and flat beyond them: nothing was seen there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: tuple[float, ...] = Field(min_length=1)
    """Ascending."""
    log_odds: tuple[float, ...]
    """At each of the scores."""
    prompt: str
    """The text that was scored; another text has other scores."""
    fitted_on: str
    """Name of the data set; a probability holds for cases mixed as there."""
    method: Literal["platt", "isotonic"]
    n_positive: int
    n_records: int
    ece: float
    """Expected calibration error on patients that the curve was not fitted on."""

    @model_validator(mode="after")
    def _check_curve(self) -> Self:
        if len(self.scores) != len(self.log_odds) or list(self.scores) != sorted(self.scores):
            msg = "scores must ascend and be as many as log_odds"
            raise ValueError(msg)
        return self

    def probability(self, score: float) -> float:
        """Return the probability of the class for a score."""
        return 1 / (1 + math.exp(-float(np.interp(score, self.scores, self.log_odds))))


class CheckpointConfig(BaseModel):
    """`config.json`: what was computed, and from what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    name: str
    model: ModelConfig
    training: dict[str, Any] = {}
    """Recipe, data with hashes, seed, and validation results, as the training wrote them."""
    calibration: dict[str, Calibration] = {}
    """By label."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint."""

    path: Path
    config: CheckpointConfig
    model: DualEncoder
    """In eval mode, on the CPU, float32."""
    reference_bank: Tensor
    """Normalised ECG features of shape (N, D), label-free; may be empty."""
    sha256: str
    """Of the weights file."""
    config_sha256: str
    text_delta: dict[str, Tensor] = field(default_factory=dict)
    """Tensors of the text model that the training changed; empty where it stayed as published."""


def load_checkpoint(source: str | Path) -> Checkpoint:
    """Return a checkpoint from a folder, or a bundled one by its name (`merl-base`).

    Raises:
        CheckpointError: The folder or a file of it is absent, broken, of another format, or its
            tensors are not exactly those that its config asks for.
    """
    folder = _find(source)
    raw_config = _read(folder / CONFIG)
    config = _parse_config(folder / CONFIG, raw_config)
    raw_weights = _read(folder / WEIGHTS)
    weights = _parse_tensors(folder / WEIGHTS, raw_weights)
    model = build_model(config.model)
    _load_strictly(model, weights, folder / WEIGHTS)
    bank_tensors = _parse_tensors(folder / BANK, _read(folder / BANK))
    bank = bank_tensors.get("ecg_features")
    if bank is None or bank.ndim != 2 or bank.shape[1] != config.model.feature_dim:
        msg = f"{folder / BANK}: expected 'ecg_features' of shape (N, {config.model.feature_dim})"
        raise CheckpointError(msg)
    return Checkpoint(
        path=folder,
        config=config,
        model=model.eval().requires_grad_(False),
        reference_bank=torch.nn.functional.normalize(bank.float(), dim=-1),
        sha256=hashlib.sha256(raw_weights).hexdigest(),
        config_sha256=hashlib.sha256(raw_config).hexdigest(),
        text_delta=_read_text_delta(folder, config.model),
    )


def save_checkpoint(
    folder: Path,
    config: CheckpointConfig,
    model: DualEncoder,
    reference_bank: Tensor,
    card: str = "",
    text_delta: Mapping[str, Tensor] | None = None,
    precision: torch.dtype = torch.float16,
) -> None:
    """Write a checkpoint folder; floating-point tensors are stored in the given precision."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: _to_stored(t, precision) for name, t in model.state_dict().items()}
    (folder / WEIGHTS).write_bytes(save_safetensors(weights))
    bank = {"ecg_features": reference_bank.to(torch.float16).contiguous()}
    (folder / BANK).write_bytes(save_safetensors(bank))
    if text_delta:
        stored = {name: _to_stored(tensor, precision) for name, tensor in text_delta.items()}
        (folder / TEXT_DELTA).write_bytes(save_safetensors(stored))
    _write_config(folder, config)
    if card:
        (folder / CARD).write_text(card, encoding="utf-8")


def write_calibration(
    source: Checkpoint, calibration: Mapping[str, Calibration], folder: Path
) -> None:
    """Write a copy of a checkpoint with a calibration in place of its own; the same folder may be.

    Raises:
        CheckpointError: The folder exists and is another checkpoint.
    """
    if (folder / CONFIG).is_file() and folder.resolve() != source.path.resolve():
        msg = f"{str(folder)!r} holds a checkpoint already; name another folder"
        raise CheckpointError(msg)
    if folder.resolve() != source.path.resolve():
        folder.mkdir(parents=True, exist_ok=True)
        for name in (WEIGHTS, BANK, CARD, TEXT_DELTA):
            if (source.path / name).is_file():
                shutil.copyfile(source.path / name, folder / name)
    config = source.config.model_copy(update={"calibration": dict(calibration)})
    _write_config(folder, config)


def _write_config(folder: Path, config: CheckpointConfig) -> None:
    content = config.model_dump(mode="json")
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def bundled_names() -> tuple[str, ...]:
    """Return the names of the checkpoints that come with the package."""
    return tuple(sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG}")))


def _find(source: str | Path) -> Path:
    folder = Path(source)
    if folder.is_dir():
        return folder
    bundled = BUNDLED / str(source)
    if str(source) in bundled_names():
        return bundled
    names = ", ".join(map(repr, bundled_names())) or "none"
    msg = f"checkpoint {str(source)!r} is neither a folder nor a bundled name (bundled: {names})"
    raise CheckpointError(msg)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"checkpoint file {str(path)!r} cannot be read: {error.strerror}"
        raise CheckpointError(msg) from error


def _parse_config(path: Path, raw: bytes) -> CheckpointConfig:
    try:
        config = CheckpointConfig.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        msg = f"{path}: {place}: {first['msg']}"
        raise CheckpointError(msg) from error
    if config.format_version != FORMAT_VERSION:
        msg = f"{path}: format version {config.format_version!r}, expected {FORMAT_VERSION}"
        raise CheckpointError(msg)
    return config


def _parse_tensors(path: Path, raw: bytes) -> dict[str, Tensor]:
    try:
        return load_safetensors(raw)
    except SafetensorError as error:
        msg = f"{path}: not a complete safetensors file ({error})"
        raise CheckpointError(msg) from error


def _read_text_delta(folder: Path, config: ModelConfig) -> dict[str, Tensor]:
    if config.text.n_adapted_layers == 0:
        return {}
    return _parse_tensors(folder / TEXT_DELTA, _read(folder / TEXT_DELTA))


def _load_strictly(model: DualEncoder, weights: Mapping[str, Tensor], path: Path) -> None:
    expected = model.state_dict()
    for kind, names in (
        ("lacks", expected.keys() - weights.keys()),
        ("has the unexpected", weights.keys() - expected.keys()),
    ):
        if names:
            listed = ", ".join(map(repr, sorted(names)[:5]))
            msg = f"{path} {kind} tensor {listed}" + (" ..." if len(names) > 5 else "")
            raise CheckpointError(msg)
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            found, wanted = tuple(tensor.shape), tuple(expected[name].shape)
            msg = f"{path}: tensor {name!r} has shape {found}, expected {wanted}"
            raise CheckpointError(msg)
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            msg = f"{path}: tensor {name!r} holds values that are not finite"
            raise CheckpointError(msg)
    model.load_state_dict({name: t.to(expected[name].dtype) for name, t in weights.items()})


def _to_stored(tensor: Tensor, precision: torch.dtype) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(precision) if tensor.is_floating_point() else tensor
