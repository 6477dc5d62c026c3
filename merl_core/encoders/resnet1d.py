"""One-dimensional residual networks, the paper's and narrower ones, and their pooling heads."""

from collections.abc import Sequence
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Block = Literal["basic", "bottleneck"]

PAPER_RESNETS: Final[dict[str, tuple[Block, tuple[int, int, int, int]]]] = {
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet34": ("basic", (3, 4, 6, 3)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
    "resnet101": ("bottleneck", (3, 4, 23, 3)),
}
"""Block and depth of the paper's networks. Source: He et al. 2016, table 1; Liu et al. 2024."""
PAPER_WIDTHS: Final = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two convolutions around a shortcut; (B, C_in, T) to (B, C_out, T / stride)."""

    expansion = 1

    def __init__(self, n_in: int, width: int, stride: int, kernel_size: int = 3) -> None:
        super().__init__()
        pad = kernel_size // 2
        self.conv1 = nn.Conv1d(n_in, width, kernel_size, stride, pad, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, kernel_size, 1, pad, bias=False)
        self.bn2 = nn.BatchNorm1d(width)
        self.shortcut = _shortcut(n_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class Bottleneck(nn.Module):
    """A convolution between two of kernel 1, around a shortcut; four times `width` comes out."""

    expansion = 4

    def __init__(self, n_in: int, width: int, stride: int, kernel_size: int = 3) -> None:
        super().__init__()
        n_out = width * self.expansion
        self.conv1 = nn.Conv1d(n_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, kernel_size, stride, kernel_size // 2, bias=False)
        self.bn2 = nn.BatchNorm1d(width)
        self.conv3 = nn.Conv1d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm1d(n_out)
        self.shortcut = _shortcut(n_in, n_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + self.shortcut(x))


def _shortcut(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    if stride == 1 and n_in == n_out:
        return nn.Sequential()
    return nn.Sequential(nn.Conv1d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm1d(n_out))


_BLOCKS: Final[dict[Block, type[BasicBlock] | type[Bottleneck]]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}


class ResNet1d(nn.Module):
    """Stem and four stages, each stage but the first halving the time axis.

    Source: He et al. 2016; in one dimension and without max-pooling as in Liu et al. 2024 (MERL).

    Args:
        n_leads: Leads of the input.
        block: Kind of residual block.
        depths: Blocks of each stage.
        widths: Channels of each stage, before a bottleneck's expansion.
        kernel_size: Of the convolutions inside blocks.
        stem_kernel_size: Of the first convolution, which halves the time axis too.
    """

    def __init__(
        self,
        n_leads: int = 12,
        *,
        block: Block = "basic",
        depths: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = PAPER_WIDTHS,
        kernel_size: int = 3,
        stem_kernel_size: int = 7,
    ) -> None:
        super().__init__()
        pad = stem_kernel_size // 2
        self.conv1 = nn.Conv1d(n_leads, widths[0], stem_kernel_size, 2, pad, bias=False)
        self.bn1 = nn.BatchNorm1d(widths[0])
        kind = _BLOCKS[block]
        n_in = widths[0]
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            blocks: list[nn.Module] = []
            for i in range(depth):
                stride = 2 if stage > 1 and i == 0 else 1
                blocks.append(kind(n_in, width, stride, kernel_size))
                n_in = width * kind.expansion
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.n_stages = len(widths)
        self.stride = 2**self.n_stages
        self.n_out = n_in

    def forward(self, x: Tensor) -> Tensor:
        """Return features of shape (B, C, T'), T' = T / stride, for signals of shape (B, L, T)."""
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(1, self.n_stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return x


class TimeContext(nn.Module):
    """A residual recurrent layer over the whole recording, both ways: rhythm is a matter of order.

    Computed in float32 whatever the precision around it.

    Args:
        n_in: Channels of input and output.
        width: Units in each direction.
    """

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_in)
        self.gru = nn.GRU(n_in, width, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * width, n_in)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the shape of `x`, (B, C, T')."""
        with torch.autocast(x.device.type, enabled=False):
            steps = x.float().transpose(1, 2)  # (B, T', C)
            context, _ = self.gru(self.norm(steps))
            out: Tensor = (steps + self.out(context)).transpose(1, 2)
            return out


class AttentionPool(nn.Module):
    """Attention of one learned token over time, with learned positions: a fixed length only.

    The token receives the first position twice, as in the reference implementation, so that its
    weights give its outputs.

    Source: Radford et al. 2021 (CLIP); Liu et al. 2024 (MERL).
    """

    def __init__(self, n_positions: int, embed_dim: int, n_heads: int = 4) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(
            torch.randn(1, n_positions + 1, embed_dim) / embed_dim
        )
        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim))
        self.mhsa = nn.MultiheadAttention(embed_dim, n_heads, batch_first=True)
        self.c_proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled feature of shape (B, D) for `x` of shape (B, D, T')."""
        x = x.transpose(1, 2)  # (B, T', D)
        token = self.cls_token + self.positional_embedding[:, :1]
        x = torch.cat([token.expand(x.shape[0], -1, -1), x], dim=1) + self.positional_embedding
        pooled, _ = self.mhsa(x[:, :1], x, x, need_weights=False)
        out: Tensor = self.c_proj(pooled[:, 0])
        return out


class StatisticsPool(nn.Module):
    """Learned attention, mean and maximum over time, side by side: any length.

    The attention finds the beats that matter, the mean carries what every beat shows, and the
    maximum a single early beat. Features before the first and after the last recorded sample
    carry no weight, so zero-padding a short recording leaves its statistics alone.

    Args:
        n_in: Channels of the input.
        embed_dim: Length of the pooled feature.
        n_heads: Attention maps.
        dropout: On the concatenated statistics, in training.
    """

    def __init__(self, n_in: int, embed_dim: int, n_heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.score = nn.Conv1d(n_in, n_heads, 1)
        self.norm = nn.LayerNorm(n_in * (n_heads + 2))
        self.dropout = nn.Dropout(dropout)
        self.c_proj = nn.Linear(n_in * (n_heads + 2), embed_dim)

    def forward(self, x: Tensor, is_recorded: Tensor | None = None) -> Tensor:
        """Return the pooled feature of shape (B, D).

        Args:
            x: Shape (B, C, T').
            is_recorded: Shape (B, T'), False where the input is padding; None where none is.
        """
        score = self.score(x)  # (B, H, T')
        if is_recorded is None:
            mean, maximum = x.mean(dim=-1), x.amax(dim=-1)
        else:
            keep = is_recorded[:, None]
            score = score.masked_fill(~keep, float("-inf"))
            mean = (x * keep).sum(dim=-1) / keep.sum(dim=-1)
            maximum = x.masked_fill(~keep, float("-inf")).amax(dim=-1)
        attended = torch.einsum("bht,bct->bhc", score.softmax(dim=-1), x).flatten(1)
        pooled = self.norm(torch.cat([attended, mean, maximum], dim=-1))
        out: Tensor = self.c_proj(self.dropout(pooled))
        return out
