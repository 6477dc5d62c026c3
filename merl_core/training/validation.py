"""How good a model is without labels: contrastive loss and retrieval on held-out patients."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from merl_core.datasets.prepared import PreparedSet
from merl_core.training.config import PairConfig
from merl_core.training.distributed import Group, gathered_clip_loss
from merl_core.training.pairs import PairModel, Reports


def validate(
    model: PairModel,
    data: PreparedSet,
    reports: Reports,
    rows: NDArray[np.int64],
    config: PairConfig,
    device: torch.device,
) -> dict[str, float]:
    """Return `val_loss`, `val_cma`, `val_recall_at_1`, `val_recall_at_10` and `val_median_rank`.

    The loss is the mean over batches of fixed size and order, of the ECG-report contrast alone;
    without it, `val_loss` is that of the two views. Ranks are those of a recording's own report
    among the distinct reports of up to `n_retrieval` recordings.
    """
    was_training = model.training
    model.eval()
    ecg, text = _features(model, data, reports, rows, config, device)
    model.train(was_training)
    ids = reports.ids[torch.from_numpy(rows)].to(device)
    losses = []
    size = config.validation_batch_size
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        same = ids[part] if config.equal_reports_are_positives else None
        if len(ids[part]) > 1:
            scale = model.merl.logit_scale
            losses.append(float(gathered_clip_loss(ecg[part], text[part], scale, Group(), same)))
    found = {"val_loss": float(np.mean(losses))} if losses else {}
    n = config.n_retrieval
    return found | retrieval(ecg[:n], text[:n], ids[:n])


def retrieval(ecg: Tensor, text: Tensor, ids: Tensor) -> dict[str, float]:
    """Return recall at 1 and 10 and the median rank of each ECG's own report.

    Args:
        ecg: Features (N, D).
        text: Features (N, D) of the reports.
        ids: Shape (N,), equal for equal reports; each distinct report counts once.
    """
    distinct, first = np.unique(ids.cpu().numpy(), return_index=True)
    candidates = F.normalize(text[torch.from_numpy(first).to(text.device)], dim=-1)
    own = torch.from_numpy(np.searchsorted(distinct, ids.cpu().numpy())).to(ecg.device)
    scores = F.normalize(ecg, dim=-1) @ candidates.T  # (N, M)
    rank = (scores > scores.gather(1, own[:, None])).sum(dim=1) + 1
    return {
        "val_recall_at_1": float((rank <= 1).float().mean()),
        "val_recall_at_10": float((rank <= 10).float().mean()),
        "val_median_rank": float(rank.float().median()),
    }


def _features(
    model: PairModel,
    data: PreparedSet,
    reports: Reports,
    rows: NDArray[np.int64],
    config: PairConfig,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    ecg, text = [], []
    with torch.no_grad():
        for first in range(0, len(rows), config.validation_batch_size):
            part = rows[first : first + config.validation_batch_size]
            signals = data.signals(part).to(device)
            vectors = reports.validation_vectors(torch.from_numpy(part), model.tower)
            ecg.append(model.merl.project_ecg(signals)[1].float())
            text.append(model.merl.project_text(vectors.to(device)).float())
    return torch.cat(ecg), torch.cat(text)
