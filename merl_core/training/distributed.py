"""Several processes that train as one: gathered features with gradients, shared statistics."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Group:
    """This process among all that train together."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def gather(self, x: Tensor) -> Tensor:
        """Return the rows of all processes, in the order of ranks, with gradients to each."""
        return x if self.size == 1 else _Gather.apply(x, self)  # type: ignore[no-untyped-call]

    def sum(self, x: Tensor) -> Tensor:
        """Return the sum over all processes, with gradients to each."""
        return x if self.size == 1 else _Sum.apply(x)  # type: ignore[no-untyped-call]

    def mean(self, x: Tensor) -> float:
        """Return the mean of a scalar over all processes."""
        return float(self.sum(x.detach())) / self.size

    def all_true(self, value: bool, device: torch.device) -> bool:
        """Return whether the value is True in every process."""
        if self.size == 1:
            return value
        flag = torch.tensor(int(value), device=device)
        dist.all_reduce(flag, dist.ReduceOp.MIN)
        return bool(flag)

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.size > 1:
            dist.barrier()


class _Gather(torch.autograd.Function):
    """Gather whose backward pass sums what every process has to say of a row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.rows = slice(group.rank * len(x), (group.rank + 1) * len(x))
        parts = [torch.empty_like(x) for _ in range(group.size)]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient[ctx.rows], None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient


class GroupBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation with the statistics of all processes, on any device.

    The same as `nn.SyncBatchNorm`, which exists for GPUs alone.
    """

    group = Group()

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (B, C, T) or (B, C), normalised."""
        if not self.training or self.group.size == 1:
            return super().forward(x)
        axes = (0, 2) if x.ndim == 3 else (0,)
        n = self.group.sum(torch.tensor(float(x.numel() // x.shape[1]), device=x.device))
        mean = self.group.sum(x.float().sum(axes)) / n  # (C,)
        shape = (1, -1, 1) if x.ndim == 3 else (1, -1)
        centred = x.float() - mean.view(shape)
        variance = self.group.sum(centred.square().sum(axes)) / n
        self._track(mean.detach(), variance.detach() * n / (n - 1))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        return (normal * self.weight.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def synchronize_batch_norm(model: nn.Module, group: Group, device: torch.device) -> nn.Module:
    """Return the model with batch statistics over all processes; its state keeps its names."""
    if group.size == 1:
        return model
    if device.type == "cuda":
        convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm
        synchronized: nn.Module = convert(model)
        return synchronized
    for module in model.modules():
        if type(module) is nn.BatchNorm1d:
            module.__class__ = GroupBatchNorm1d
            module.group = group  # type: ignore[assignment]
    return model


def gathered_clip_loss(
    one: Tensor,
    two: Tensor,
    logit_scale: Tensor | float,
    group: Group,
    pair_ids: Tensor | None = None,
) -> Tensor:
    """Return this process's share of `clip_loss` over the pairs of all processes.

    Its own rows are compared with the rows of all (local loss), so no process holds the full
    matrix; the mean over processes is the loss of one process with the whole batch, and so are
    its gradients.

    Source: Cherti et al. 2023 (OpenCLIP), local loss with gathered gradients.

    Args:
        one: Shape (B, D), this process's rows.
        two: Shape (B, D).
        logit_scale: 1 / temperature.
        group: All processes, each with B rows.
        pair_ids: Shape (B,), equal where rows belong together; None if only a pair does.
    """
    one, two = F.normalize(one, dim=-1), F.normalize(two, dim=-1)
    forward = logit_scale * one @ group.gather(two).T  # (B, B * size)
    backward = logit_scale * two @ group.gather(one).T
    if pair_ids is None:
        target = torch.arange(len(one), device=one.device) + group.rank * len(one)
    else:
        same = (pair_ids[:, None] == group.gather(pair_ids)[None]).to(one.dtype)
        target = same / same.sum(dim=1, keepdim=True)
    return F.cross_entropy(forward, target) + F.cross_entropy(backward, target)
