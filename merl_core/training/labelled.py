"""The paper's choice of an epoch: zero-shot on labelled validation recordings. It uses labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from knowledge_sources.label_sets import label_set
from merl_core.datasets.prepared import PreparedSet
from merl_core.errors import MerlError
from merl_core.metrics import auroc
from merl_core.training.config import PairConfig
from merl_core.training.pairs import PairModel, Reports


class LabelledSet:
    """The labelled validation recordings of one prepared folder.

    Args:
        data: Prepared recordings with classes; split `val` is used.

    Raises:
        MerlError: There is no class, no recording in `val`, or no class with both outcomes.
    """

    def __init__(self, data: PreparedSet) -> None:
        if not data.labels:
            msg = (
                f"{data.folder}: prepared from a manifest without classes: no epoch is chosen by it"
            )
            raise MerlError(msg)
        self.data = data
        self.rows = data.rows_of("val")
        y_true = data.y_true[self.rows]
        both = [{0.0, 1.0} <= set(column) for column in y_true.T]
        if not any(both):
            msg = f"{data.folder}: no class has positives and negatives in split 'val'"
            raise MerlError(msg)
        self.y_true = y_true[:, both]
        heads = [head for head, is_used in zip(data.labels, both, strict=True) if is_used]
        self.classnames = [_classname(head, data.label_set) for head in heads]

    @property
    def name(self) -> str:
        """Of the label set, or else of the folder."""
        return self.data.label_set or self.data.folder.name

    def macro_auroc(
        self, model: PairModel, reports: Reports, batch_size: int, device: torch.device
    ) -> float:
        """Return the zero-shot macro AUROC of a model, class names as prompts."""
        was_training = model.training
        model.eval()
        with torch.no_grad():
            vectors = reports.encode(self.classnames, model.tower).to(device)
            text = F.normalize(model.merl.project_text(vectors).float(), dim=-1)
            parts: list[Tensor] = []
            for first in range(0, len(self.rows), batch_size):
                signals = self.data.signals(self.rows[first : first + batch_size]).to(device)
                parts.append((model.merl.encode_ecg(signals).float() @ text.T).cpu())
        model.train(was_training)
        return float(np.nanmean(auroc(self.y_true, torch.cat(parts).double().numpy())))


def load_labelled(config: PairConfig, folders: Sequence[Path]) -> list[LabelledSet]:
    """Return the labelled sets that a recipe's epoch is chosen on; none where it needs none.

    Raises:
        MerlError: A set is missing, or named for a recipe that chooses without labels, or cannot
            be used.
    """
    if config.select_by != "labelled_auroc":
        if folders:
            msg = f"recipe {config.name!r} selects by {config.select_by!r}, which takes no labels"
            raise MerlError(msg)
        return []
    if not folders:
        msg = (
            f"recipe {config.name!r} selects by 'labelled_auroc': "
            "name prepared folders with classes by --select-on"
        )
        raise MerlError(msg)
    return [LabelledSet(PreparedSet(folder, config.model.signal)) for folder in folders]


def _classname(head: str, set_name: str) -> str:
    return label_set(set_name).get(head.partition(":")[2] or head).meaning if set_name else head
