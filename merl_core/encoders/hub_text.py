"""Any text encoder of the Hugging Face hub by its name, at a pinned revision."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from merl_core.encoders.text import batches_by_length, mean_pool
from merl_core.errors import CheckpointError

Pooling = Literal["mean", "cls", "pooler"]
MAX_TOKENS: Final = 256
"""Longer texts are cut here, as in Liu et al. 2024 (MERL)."""


class HubTextEncoder:
    """A text encoder of the hub, frozen and in eval mode.

    Nothing is downloaded where the hub is switched off (`HF_HUB_OFFLINE`); what is missing is
    then named. No code of a model's repository is run.

    Args:
        model: Name on the hub, or a folder.
        revision: Commit of the hub's repository; empty for the newest.
        pooling: How tokens become one vector: mean, first token, or the model's own pooler.
        device: A torch device.

    Raises:
        CheckpointError: The model is not on this machine and cannot be downloaded, or is of
            another kind.
    """

    def __init__(
        self, model: str, revision: str = "", pooling: Pooling = "mean", device: str = "cpu"
    ) -> None:
        self.name, self.revision, self.pooling = model, revision, pooling
        self._device = torch.device(device)
        self._tokenizer, module = _load(model, revision, with_pooler=pooling == "pooler")
        self.module: nn.Module = module.to(self._device).eval().requires_grad_(False)
        self.pad_id = int(self._tokenizer.pad_token_id or 0)

    @property
    def embedder_id(self) -> str:
        """Name, revision and pooling."""
        return f"{self.name}@{self.revision or 'newest'}:{self.pooling}"

    @property
    def embed_dim(self) -> int:
        """Length of a vector."""
        config: Any = self.module.config
        return int(config.hidden_size)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, cut at `MAX_TOKENS`, not padded."""
        encoded = self._tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def encode_with(self, module: nn.Module, token_ids: Tensor, is_token: Tensor | None) -> Tensor:
        """Return vectors (B, D) that a copy of `module` gives for tokens (B, T)."""
        mask = torch.ones_like(token_ids) if is_token is None else is_token.long()
        found = module(input_ids=token_ids, attention_mask=mask)
        pooled: Tensor
        if self.pooling == "pooler":
            pooled = found.pooler_output
        elif self.pooling == "cls":
            pooled = found.last_hidden_state[:, 0]
        else:
            pooled = mean_pool(found.last_hidden_state, is_token)
        return pooled

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of shape (N, D), as the model gives them.

        A text's vector does not depend on the texts beside it: nothing is padded.
        """
        features = np.zeros((len(texts), self.embed_dim), dtype=np.float32)
        token_ids = self.tokenize(texts) if texts else []
        with torch.inference_mode():
            for positions in batches_by_length(token_ids):
                tokens = torch.tensor([token_ids[i] for i in positions], device=self._device)
                features[positions] = self.encode_with(self.module, tokens, None).cpu().numpy()
        return features


def _load(model: str, revision: str, *, with_pooler: bool) -> tuple[Any, nn.Module]:
    from transformers import AutoModel, AutoTokenizer

    where: dict[str, Any] = {} if Path(model).is_dir() or not revision else {"revision": revision}
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, **where)
        module = AutoModel.from_pretrained(model, **where, dtype=torch.float32)
    except (OSError, ValueError) as error:
        at = f" --revision {revision}" if revision else ""
        reason = str(error).strip().splitlines()[0]
        msg = (
            f"text model {model!r} is not on this machine; with a network run "
            f"`hf download {model}{at}`, or name a folder that holds it ({reason})"
        )
        raise CheckpointError(msg) from error
    if with_pooler and getattr(module, "pooler", None) is None:
        msg = f"text model {model!r} has no pooler; choose pooling 'mean' or 'cls'"
        raise CheckpointError(msg)
    result: tuple[Any, nn.Module] = (tokenizer, module)
    return result
