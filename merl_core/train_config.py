"""Recipes of trainings by statements: everything that changes a number, read from YAML."""

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from merl_core.augment import Augmentation
from merl_core.errors import MerlError
from merl_core.model import ModelConfig
from merl_core.text_stage import TextStage


class TrainConfig(BaseModel):
    """A training by statements: which concepts an ECG shows, said in many wordings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seed: int = 0
    n_members: int = 1
    """Models trained one after the other, each with the next seed, and joined to one."""
    n_simulated_members: int = Field(default=0, ge=0)
    """The last so many of them see simulated ECGs alone: what annotators of one hospital have in
    common is not in them."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the ECG encoder's forward and backward pass."""
    model: ModelConfig = ModelConfig()
    augmentation: Augmentation = Augmentation()
    start_from: str | None = None
    """Folder or bundled name of the checkpoint whose members' weights training begins with."""
    use_real: bool = True
    n_real: int | None = Field(default=None, gt=0)
    """At most so many real recordings, those of patients drawn by the seed; None for all."""
    measured_statements: bool = False
    """Whether axis, low voltage, inverted T waves, the transition of R, QT and the RR intervals of
    a sinus rhythm are measured on real recordings where their annotators are silent."""
    n_simulated: int = 40_000
    batch_size: int = 96
    real_share: float = 0.5
    """Share of real ECGs in a batch that holds both."""
    rarity_power: float = Field(default=0.5, ge=0)
    """How much more often an ECG is drawn the rarer its rarest finding is; 0 draws evenly."""
    normal_share: float | None = Field(default=None, gt=0, lt=1)
    """Share of normal ECGs among those drawn; None leaves it to their rarity."""
    n_steps: int = 2500
    """0 leaves the weights as `start_from` has them, for the text stage."""
    warmup_steps: int = 200
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    ema_decay: float = 0.998
    max_grad_norm: float = 1.0
    initial_logit_scale: float = 10.0
    texts_per_concept: int = 1
    """Texts drawn for each concept in each step."""
    bare_share: float = 0.5
    """How often a drawn text is a name alone."""
    text_noise: float = 0.02
    """Standard deviation of noise added to each number of a sentence vector, as a share of that
    number's own standard deviation if the model standardises them."""
    held_out_names: float = 0.0
    measurement_weight: float = 0.2
    concept_weight: float = 0.0
    """Of a classification of the concepts without their texts, which helps the ECG encoder while
    the text projection learns; its head is thrown away."""
    confusion_weight: float = Field(default=0.0, ge=0)
    """How much more an ECG counts for a statement that it does not show, if it shows one that
    contradicts it or is its sibling, and is named alike: right axis deviation on an ECG with left
    axis deviation. Multiplied by the fourth power of the cosine of their names."""
    part_weight: float = 0.5
    """Of the statement losses of the network and of the beat reader, each alone, beside that of
    both together: so each learns all that it can see."""
    uma_weight: float = 0.0
    """Of the paper's contrast between two views of an ECG feature."""
    label_smoothing: float = 0.02
    text_stage: TextStage | None = None
    """After each member's training, of its text tower alone; None leaves it out."""
    validate_every: int = 250
    save_every: int = Field(default=250, ge=1)
    """Updates between states that a training can be resumed from."""
    bank_size: int = 1500

    @model_validator(mode="after")
    def _has_simulated_ecgs_for_its_members(self) -> Self:
        if self.n_simulated_members > self.n_members:
            msg = f"n_simulated_members is {self.n_simulated_members}, n_members {self.n_members}"
            raise ValueError(msg)
        if self.n_simulated_members and not self.n_simulated:
            msg = "members that see simulated ECGs alone need n_simulated"
            raise ValueError(msg)
        return self


def load_train_config(path: Path) -> TrainConfig:
    """Return the recipe of a YAML file.

    Raises:
        MerlError: The file cannot be read, or a field is unknown or of another type.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TrainConfig.model_validate(raw)
    except OSError as error:
        msg = f"config {str(path)!r} cannot be read: {error.strerror}"
        raise MerlError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path}: not valid YAML: {error}"
        raise MerlError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        msg = f"{path}: {place}: {first['msg']}"
        raise MerlError(msg) from error
