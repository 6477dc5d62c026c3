"""What the service is made of, as seams; `assembly` builds the real things."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from api.database import Database
from api.watch import Watch
from ckepe.prompt_set import PromptSet
from knowledge_sources.knowledge_base import KnowledgeBase
from merl_core.records import Record, RecordWarning

Array = NDArray[np.float32]
LLMMode = Literal["auto", "off", "required"]


class LabelScore(Protocol):
    """Score of one label, as the engine gives it."""

    @property
    def label(self) -> str:
        """As named in the prompts."""

    @property
    def score(self) -> float:
        """Cosine."""

    @property
    def percentile(self) -> float | None:
        """Place on the reference bank."""

    @property
    def percentile_interval(self) -> tuple[float, float] | None:
        """95 % interval of the percentile."""

    @property
    def probability(self) -> float | None:
        """Where calibrated."""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader must know."""


class Classification(Protocol):
    """Scores of one record."""

    @property
    def scores(self) -> Sequence[LabelScore]:
        """One a label."""

    @property
    def warnings(self) -> Sequence[RecordWarning]:
        """What was changed or is in doubt."""


class ScoringEngine(Protocol):
    """Encodes and scores."""

    @property
    def model_id(self) -> str:
        """Name of the checkpoint."""

    @property
    def sha256(self) -> str:
        """Of the weights."""

    @property
    def config_sha256(self) -> str:
        """Of the config."""

    @property
    def n_reference(self) -> int:
        """Recordings in the reference bank."""

    @property
    def backend(self) -> str:
        """What runs the ECG encoder."""

    @property
    def n_waiting(self) -> int:
        """Records that wait for the encoder."""

    def prepare(self, record: Record) -> tuple[Array, tuple[RecordWarning, ...]]:
        """Return the encoder's input for a record, and what was done to it."""

    def encode(self, windows: Array) -> Array:
        """Return the features of prepared windows."""

    def score(
        self, features: Array, warnings: tuple[RecordWarning, ...], prompts: Mapping[str, str]
    ) -> Classification:
        """Score an encoded record with prompt texts by label."""

    def close(self) -> None:
        """Let go of the encoder."""


class RecordReader(Protocol):
    """Parses uploaded files."""

    def read(self, files: Mapping[str, bytes]) -> Record:
        """Return the record that the files hold."""

    def read_paths(self, paths: Sequence[Path]) -> Record:
        """Return the record that the files at `paths` hold."""

    def close(self) -> None:
        """Stop the child processes."""


class Engineer(Protocol):
    """Engineers and verifies prompts."""

    def engineer(
        self,
        labels: Sequence[str],
        *,
        label_set: str | None,
        llm: LLMMode,
        max_subtypes: int = 6,
        max_attributes: int = 6,
        on_progress: Callable[..., None] | None = None,
    ) -> PromptSet:
        """Return prompts for the labels."""

    def verify(
        self, label: str, phrases: Sequence[str], label_set: str | None = None
    ) -> Sequence[Any]:
        """Return a verdict for each phrase."""

    def fits(self, text: str) -> bool:
        """Return whether a prompt is within the encoder's token limit."""


class Searcher(Protocol):
    """Finds concepts."""

    def check(self) -> None:
        """Raise `IndexUnavailableError` if the index gives no sign of life."""

    def search(
        self,
        query: str,
        top_k: int = 10,
        label_set: str | None = None,
        *,
        nearest: bool = False,
    ) -> Sequence[Any]:
        """Return hits, the best first; none for what no source knows, unless `nearest`."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that `Service` works with."""

    engine: ScoringEngine
    readers: RecordReader
    engineer: Engineer
    retriever: Searcher
    knowledge: KnowledgeBase
    database: Database
    watch: Watch = field(default_factory=Watch)
    llm: str | None = None
    model_config: Mapping[str, Any] = field(default_factory=dict)
