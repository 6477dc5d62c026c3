"""The paper's released weights as a checkpoint folder: an allow-list, strict, and named."""

import hashlib
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from merl_core.checkpoint import CheckpointConfig, save_checkpoint
from merl_core.encoders.resnet1d import PAPER_RESNETS
from merl_core.encoders.vit1d import PAPER_VITS
from merl_core.errors import CheckpointError
from merl_core.model import MEDCPT, MerlModel, paper_config, paper_encoder_config

_LEFT_OVER: Final = ("linear.weight", "linear.bias")
"""A ten-class layer that the paper's ResNet carries along and never uses."""
_FIRST_OF_ENCODER: Final = ("conv1.weight", "to_patch_embedding.weight")
_TEXT_MODEL: Final = "lm_model."
_PREFIXES: Final = ("module.", "_orig_mod.")


def import_weights(path: Path, folder: Path, name: str) -> dict[str, Any]:
    """Write the paper's weights as a checkpoint, the encoder recognised by its tensors.

    Takes the whole model (`*_ckpt.pth`), whose text model is left out: it is Med-CPT as
    published, at a pinned revision. Takes the ECG encoder alone (`*_encoder.pth`), too: its
    features can be probed, but no text can be scored.

    Args:
        path: File written by `torch.save`; read without running any code in it.
        folder: Where the checkpoint is written.
        name: Of the checkpoint.

    Returns:
        What was recognised: encoder, number of tensors, what was left out, hash of the file.

    Raises:
        CheckpointError: The file cannot be read, is of no known encoder, or its tensors are not
            exactly those of that encoder, in names, shapes and kind, with finite values.
    """
    tensors = _read(path)
    is_alone = any(key in tensors for key in _FIRST_OF_ENCODER)
    if is_alone:
        tensors = {f"ecg_encoder.{key}": tensor for key, tensor in tensors.items()}
    left_out = [key for key in tensors if key.startswith(_TEXT_MODEL) or _is_left_over(key)]
    kept = {key: tensor for key, tensor in tensors.items() if key not in set(left_out)}
    encoder = recognise(kept, path)
    config = paper_encoder_config(encoder) if is_alone else paper_config(encoder)
    model = MerlModel(config)
    _check_keys(kept, model, encoder, path)
    _check_values(kept, model, path)
    state = model.state_dict()
    state.update({key: tensor.to(state[key].dtype) for key, tensor in kept.items()})
    model.load_state_dict(state)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    source = {"source": path.name, "sha256": sha256, "paper": "Liu et al. 2024, arXiv 2403.06659"}
    bank = torch.zeros(0, config.embed_dim)
    description = CheckpointConfig(name=name, model=config, training=source)
    card = _card(name, encoder, path.name, sha256, config.has_text)
    save_checkpoint(folder, description, model, bank, card, precision=torch.float32)
    return {
        "encoder": encoder,
        "has_text": config.has_text,
        "n_tensors": len(kept),
        "left_out": sorted({key.split(".")[0] for key in left_out}),
        "sha256": sha256,
        "folder": str(folder),
    }


def recognise(tensors: Mapping[str, Tensor], path: Path) -> str:
    """Return which of the paper's eight encoders the tensors belong to.

    Raises:
        CheckpointError: None of them.
    """
    patches = tensors.get("ecg_encoder.to_patch_embedding.weight")
    if patches is not None and patches.ndim:
        for name, (width, _) in PAPER_VITS.items():
            if patches.shape[0] == width:
                return name
    depth3 = {key.split(".")[2] for key in tensors if key.startswith("ecg_encoder.layer3.")}
    is_bottleneck = "ecg_encoder.layer1.0.conv3.weight" in tensors
    for name, (block, depths) in PAPER_RESNETS.items():
        if len(depth3) == depths[2] and (block == "bottleneck") == is_bottleneck:
            return name
    found = ", ".join(map(repr, list(tensors)[:3])) or "nothing"
    msg = f"{path}: none of the paper's encoders; it holds {found}"
    raise CheckpointError(msg)


def _is_left_over(key: str) -> bool:
    return key.removeprefix("ecg_encoder.") in _LEFT_OVER


def _read(path: Path) -> dict[str, Tensor]:
    try:
        _check_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unusual pickles; what is wrong is said below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        msg = f"weights {str(path)!r} cannot be read: {error.strerror}"
        raise CheckpointError(msg) from error
    except (
        RuntimeError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        LookupError,
    ) as error:
        msg = f"{path}: no file of PyTorch weights, or damaged, or it holds more than tensors"
        raise CheckpointError(msg) from error
    for wrapper in ("state_dict", "model", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    is_state = isinstance(content, dict) and all(isinstance(t, Tensor) for t in content.values())
    if not is_state or not content:
        msg = f"{path}: expected tensors by name, found {type(content).__name__}"
        raise CheckpointError(msg)
    found: dict[str, Tensor] = {}
    for key, tensor in content.items():
        if found.setdefault(_bare(str(key)), tensor) is not tensor:
            msg = f"{path}: tensor {_bare(str(key))!r} is there twice, once as {key!r}"
            raise CheckpointError(msg)
    return found


def _check_archive(path: Path) -> None:
    """Compare the parts of a file with their CRC-32, which `torch.load` does not look at."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        msg = f"{path}: damaged: the checksum of its part {damaged!r} differs"
        raise CheckpointError(msg)


def _bare(key: str) -> str:
    """Return the name that a tensor has without what wrapped the model."""
    while key.startswith(_PREFIXES):
        key = key.partition(".")[2]
    return key


def _check_keys(tensors: Mapping[str, Tensor], model: MerlModel, encoder: str, path: Path) -> None:
    expected = {k: t for k, t in model.state_dict().items() if k != "logit_scale"}
    missing, extra = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    for kind, keys in (("lacks", missing), ("has the unexpected", extra)):
        if keys:
            listed = ", ".join(map(repr, sorted(keys)[:4]))
            msg = f"{path}: taken for {encoder}, it {kind} tensor {listed}"
            raise CheckpointError(msg)
    for key, tensor in tensors.items():
        if tensor.shape != expected[key].shape:
            found, wanted = tuple(tensor.shape), tuple(expected[key].shape)
            msg = f"{path}: tensor {key!r} has shape {found}, {encoder} expects {wanted}"
            raise CheckpointError(msg)


def _check_values(tensors: Mapping[str, Tensor], model: MerlModel, path: Path) -> None:
    expected = model.state_dict()
    for key, tensor in tensors.items():
        is_plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not is_plain or tensor.is_floating_point() != expected[key].is_floating_point():
            kind = expected[key].dtype
            msg = f"{path}: tensor {key!r} is {tensor.dtype} ({tensor.layout}), expected {kind}"
            raise CheckpointError(msg)
        if not bool(torch.isfinite(tensor).all()):
            msg = f"{path}: tensor {key!r} holds values that are not finite"
            raise CheckpointError(msg)
        if key.endswith("running_var") and bool((tensor < 0).any()):
            msg = f"{path}: tensor {key!r} holds negative variances"
            raise CheckpointError(msg)


def _card(name: str, encoder: str, source: str, sha256: str, has_text: bool) -> str:
    text = (
        f"Text: {MEDCPT.model} at {MEDCPT.revision[:12]}, pooled output."
        if has_text
        else "An ECG encoder alone: its features can be probed, but no text can be scored."
    )
    return (
        f"# {name}\n\nThe paper's {encoder}, imported from `{source}` (sha256 {sha256}).\n"
        "Input: 10 s at 500 Hz, leads in the order of MIMIC-IV-ECG, min-max scaled over the whole\n"
        f"recording. {text}\n\n"
        "Liu et al. 2024, Zero-Shot ECG Classification with Multimodal Learning and Test-time\n"
        "Clinical Knowledge Enhancement, ICML 2024. Weights under the terms of their release.\n"
    )
