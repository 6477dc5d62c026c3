"""One-dimensional vision transformers of the paper: patches of an ECG as tokens."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAPER_VITS: Final = {
    "vit_tiny": (192, 3),
    "vit_small": (384, 6),
    "vit_middle": (512, 8),
    "vit_base": (768, 12),
}
"""Width and heads. Source: Dosovitskiy et al. 2021, table 1; Liu et al. 2024 (MERL)."""
PATCH_LENGTH: Final = 50
_DEPTH: Final = 12
_HEAD_WIDTH: Final = 64
_MLP_RATIO: Final = 4


class _Attention(nn.Module):
    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        inner = n_heads * _HEAD_WIDTH
        self.n_heads = n_heads
        self.to_qkv = nn.Linear(width, 3 * inner)
        self.to_out = nn.Sequential(nn.Linear(inner, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, n_tokens, _ = x.shape
        qkv = self.to_qkv(x).view(batch, n_tokens, 3, self.n_heads, _HEAD_WIDTH)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, H, P, 64) each
        mixed = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.to_out(mixed.transpose(1, 2).reshape(batch, n_tokens, -1))
        return out


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = _MLP_RATIO * width
        self.net = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class _PreNorm(nn.Module):
    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.fn(self.norm(x))
        return out


class _Block(nn.Module):
    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.attn = _PreNorm(width, _Attention(width, n_heads))
        self.ff = _PreNorm(width, _FeedForward(width))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.ff(self.attn(x))
        return out


class ViT1d(nn.Module):
    """Transformer over patches of all leads, mean-pooled; parameter names as in the paper's code.

    Args:
        n_leads: Leads of the input.
        sig_len: Samples of the input, a multiple of 50.
        width: Of a token.
        n_heads: Attention heads of width 64.
    """

    def __init__(self, n_leads: int = 12, sig_len: int = 5000, *, width: int, n_heads: int) -> None:
        super().__init__()
        n_patches = sig_len // PATCH_LENGTH
        self.to_patch_embedding = nn.Conv1d(n_leads, width, PATCH_LENGTH, PATCH_LENGTH, bias=False)
        self.pos_embedding = nn.Parameter(torch.randn(1, n_patches, width))
        for i in range(_DEPTH):
            setattr(self, f"block{i}", _Block(width, n_heads))
        self.norm = nn.LayerNorm(width)
        self.n_out = width

    def forward(self, x: Tensor) -> Tensor:
        """Return features of shape (B, width) for signals of shape (B, L, T)."""
        x = self.to_patch_embedding(x).transpose(1, 2) + self.pos_embedding  # (B, P, width)
        for i in range(_DEPTH):
            x = getattr(self, f"block{i}")(x)
        out: Tensor = self.norm(x.mean(dim=1))
        return out
