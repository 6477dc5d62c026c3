"""Recipes of trainings: everything that changes a number, read from YAML."""

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from merl_core.augment import Augmentation
from merl_core.errors import MerlError
from merl_core.model import ModelConfig
from merl_core.train_config import TrainConfig, load_train_config


class PairConfig(BaseModel):
    """A training by pairs of ECG and report: contrast between both (CMA) and of views (UMA).

    The paper's training and the corrected one are two recipes of this class.

    Source: Liu et al. 2024 (MERL), section 3.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: Literal["pairs"]
    name: str
    seed: int = 0
    model: ModelConfig = ModelConfig()
    augmentation: Augmentation | None = None
    """Random changes of the ECGs; None for none."""
    batch_size: int = Field(default=512, ge=2)
    """Pairs of a step, over all processes."""
    n_epochs: int = Field(default=20, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["cosine", "paper_restarts"] = "cosine"
    """Half a cosine to zero, or the paper's: a cosine that starts anew every 5000 steps."""
    warmup_steps: int = Field(default=1000, ge=0)
    max_grad_norm: float | None = 1.0
    """Length that gradients are cut to; None for no limit."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the forward pass; weights, features and losses stay float32."""
    sync_batch_norm: bool = True
    """Whether batch statistics are those of all processes."""
    equal_reports_are_positives: bool = True
    """Whether pairs with the same report are positives of each other, instead of negatives."""
    initial_logit_scale: float = Field(default=1 / 0.07, gt=0)
    learn_logit_scale: bool = False
    """Whether 1 / temperature of the ECG-report contrast is learned; UMA keeps 1 / 0.07."""
    cma_weight: float = Field(default=1.0, ge=0)
    uma_weight: float = Field(default=1.0, ge=0)
    unfrozen_text_layers: int = Field(default=0, ge=0)
    """Last layers of the text model that are trained; with none, each text is encoded once."""
    select_by: Literal["validation_loss", "retrieval", "last", "labelled_auroc"] = "validation_loss"
    """Which epoch is kept: label-free by the contrastive loss or by recall at 10 of a report
    among the validation pairs, or simply the last. `labelled_auroc` is the paper's way and uses
    labels: the mean zero-shot macro AUROC on the validation recordings of labelled data sets."""
    validation_batch_size: int = Field(default=512, ge=2)
    n_retrieval: int = Field(default=2000, ge=2)
    """Validation pairs among which reports are looked up."""
    log_every: int = Field(default=50, ge=1)
    save_every: int = Field(default=500, ge=1)
    """Steps between states that a training can be resumed from."""
    bank_size: int = Field(default=1500, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.augmentation is not None and self.model.signal.normalization != "millivolt":
            msg = "augmentation works on millivolts, not on min-max scaled signals"
            raise ValueError(msg)
        if self.unfrozen_text_layers and self.model.text.standardized:
            msg = "sentence vectors are standardised once: the text model cannot be trained"
            raise ValueError(msg)
        if self.model.signal.keep_s is not None or not self.model.has_text:
            msg = "keep_s and encoders without text are for evaluation, not for training"
            raise ValueError(msg)
        if self.cma_weight == 0 and self.uma_weight == 0:
            msg = "cma_weight and uma_weight are both 0: nothing would be trained"
            raise ValueError(msg)
        return self


def load_recipe(path: Path) -> TrainConfig | PairConfig:
    """Return the recipe of a YAML file: by pairs if it says `objective: pairs`, else by statements.

    Raises:
        MerlError: The file cannot be read, or a field is unknown or of another type.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"config {str(path)!r} cannot be read: {error.strerror}"
        raise MerlError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid YAML: {' '.join(str(error).split())}"
        raise MerlError(msg) from error
    if not (isinstance(raw, dict) and raw.get("objective")):
        return load_train_config(path)
    try:
        return PairConfig.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        msg = f"{path}: {place}: {first['msg']}"
        raise MerlError(msg) from error
