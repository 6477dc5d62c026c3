"""PromptSet: the immutable, content-addressed result of prompt engineering."""

import hashlib
import json
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ckepe.errors import CkepeError

SHIPPED: Final = Path(__file__).parent / "prompt_sets"
"""The reviewed prompt sets of the six label sets, one file each."""


class Relation(StrEnum):
    """How a phrase relates to the concept of its label."""

    SAME = "same"
    NARROWER = "narrower"
    ATTRIBUTE = "attribute"
    BROADER = "broader"
    SIBLING = "sibling"
    OPPOSITE = "opposite"
    OTHER_CONDITION = "other-condition"
    UNKNOWN = "unknown"
    FRAGMENT = "fragment"
    NOT_ECG = "not-ecg"

    @property
    def is_accepted(self) -> bool:
        """Whether a phrase in this relation may stand in a prompt."""
        return self in (Relation.SAME, Relation.NARROWER, Relation.ATTRIBUTE)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)


class Evidence(_Frozen):
    """A place in a knowledge source that supports, or speaks against, a phrase."""

    concept_id: str
    source: str
    version: str
    matched: str
    """The name, alias or criterion sentence that the phrase met."""
    score: float
    """How well it met it: 1 is exact."""


class Phrase(_Frozen):
    """One accepted phrase of a prompt."""

    text: str
    relation: Relation
    evidence: tuple[Evidence, ...]
    proposed_by: str = "knowledge"
    """`knowledge`, or the model id of the LLM that proposed it."""


class RejectedPhrase(Phrase):
    """A proposed phrase that was refused, and why."""

    reason: str


class LabelPrompt(_Frozen):
    """The engineered prompt of one label."""

    label: str
    """As asked: free text, or `set:code` such as `csn:AF`."""
    meaning: str
    """What the label was taken to mean."""
    is_grounded: bool = Field(serialization_alias="grounded", validation_alias="grounded")
    concept_ids: tuple[str, ...]
    text: str
    """What is encoded."""
    subtypes: tuple[Phrase, ...] = ()
    attributes: tuple[Phrase, ...] = ()
    rejected: tuple[RejectedPhrase, ...] = ()
    notes: tuple[str, ...] = ()
    """Ambiguities and anything else that a reader must know."""


class SourceVersion(_Frozen):
    """A knowledge source as it was when the set was made."""

    key: str
    name: str
    version: str


class Generator(_Frozen):
    """What made a prompt set: everything that changes its content, and nothing else."""

    llm: str | None
    """`provider:model`, or null for prompts from knowledge alone."""
    templates: dict[str, str]
    """Template name to sha256."""
    sources: tuple[SourceVersion, ...]
    options: dict[str, str | int | bool] = {}


class PromptSet(_Frozen):
    """Prompts for a set of labels.

    `id` is the sha256 of the canonical JSON of everything else: equal content, equal id.
    """

    schema_version: Literal[1] = 1
    id: str = ""
    label_set: str | None = None
    generator: Generator
    prompts: tuple[LabelPrompt, ...]
    notices: tuple[str, ...] = ()
    """What happened while it was made: `llm unreachable, answered from knowledge`."""

    @model_validator(mode="after")
    def _identify(self) -> Self:
        digest = self.content_hash()
        if self.id and self.id != digest:
            msg = f"prompt set id {self.id!r} does not match its content, expected {digest!r}"
            raise ValueError(msg)
        object.__setattr__(self, "id", digest)
        return self

    def content_hash(self) -> str:
        """Return the sha256 of the canonical JSON, `id` left out, as hex."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"id"})
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def texts(self) -> dict[str, str]:
        """Prompt text by label: all that the model needs to know."""
        return {p.label: p.text for p in self.prompts}

    def to_json(self) -> str:
        """Return the set as indented JSON, byte-identical for equal content."""
        content = self.model_dump(mode="json", by_alias=True)
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def read_prompt_set(path: Path) -> PromptSet:
    """Read a prompt set and check its id against its content.

    Raises:
        CkepeError: The file is absent, is no prompt set, or was changed after it was made.
    """
    try:
        return PromptSet.model_validate_json(path.read_bytes())
    except OSError as error:
        msg = f"prompt set {str(path)!r} cannot be read: {error.strerror}"
        raise CkepeError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        msg = f"{path}: not a valid prompt set: {where}: {first['msg']}"
        raise CkepeError(msg) from error


def read_shipped(label_set: str) -> PromptSet:
    """Return the shipped prompt set of a label set.

    Raises:
        CkepeError: None is shipped under this name.
    """
    return read_prompt_set(SHIPPED / f"{label_set}.json")
