"""Bodies of requests and answers: the documented JSON, and nothing of the web framework."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from merl_core.notebook import DISCLAIMER

MAX_LABELS = 500
MAX_LABEL_LENGTH = 300

LabelText = Annotated[str, Field(min_length=1, max_length=MAX_LABEL_LENGTH)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GenerateRequest(_Body):
    """What prompts to engineer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"labels": ["left bundle branch block", "csn:AF"], "llm": "auto"}]
        },
    )

    labels: list[LabelText] = Field(default=[], max_length=MAX_LABELS)
    """Classes in words, or as `set:code`; empty with `label_set` means the whole set."""
    label_set: str | None = None
    llm: Literal["auto", "off", "required"] = "auto"
    max_subtypes: int = Field(default=6, ge=0, le=20)
    max_attributes: int = Field(default=6, ge=0, le=20)


class VerifyRequest(_Body):
    """Phrases to check against the sources."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "label": "left bundle branch block",
                    "phrases": ["broad notched R wave in V6", "delta wave"],
                }
            ]
        },
    )

    label: LabelText
    phrases: list[LabelText] = Field(min_length=1, max_length=200)
    label_set: str | None = None


class VerdictBody(_Body):
    """Whether a phrase may stand in the prompt of a label, and why."""

    phrase: str
    verdict: Literal["accept", "reject"]
    relation: str
    evidence: list[dict[str, Any]]
    reason: str


class VerifyAnswer(_Body):
    """Verdicts in the order of the phrases."""

    label: str
    verdicts: list[VerdictBody]


class QualityCheck(_Body):
    """One check of the signal."""

    name: str
    ok: bool
    value: float | None = Field(description="What was measured; `message` names its unit")
    limit: float | None = Field(description="Beyond it the check fails; in the unit of `value`")
    leads: list[str]
    message: str


class QualityBody(_Body):
    """Whether the signal can be read at all."""

    acceptable: bool
    checks: list[QualityCheck]


class RecordBody(_Body):
    """The recording as it was understood; carries no identity of the patient."""

    format: str
    sha256: str
    fs: float = Field(description="Samples per second")
    duration_s: float = Field(description="Seconds")
    leads: list[str]
    derived_leads: list[str]
    quality: QualityBody
    device_statements: list[str] = Field(
        description="What the recording device printed; never used for the scores"
    )
    device_measurements: dict[str, float] = Field(
        default={},
        description="What it measured, each name with its unit: `heart_rate_bpm`, `pr_ms`; "
        "never used for the scores",
    )


class ModelBody(_Body):
    """What computed the scores."""

    id: str
    sha256: str
    config_sha256: str
    n_reference: int = Field(description="Recordings in the bank that percentiles refer to")
    backend: str = Field(description="What ran the ECG encoder, and in which precision")


class PromptSetRef(_Body):
    """The prompts that were encoded; `GET /prompt-sets/{id}` shows them with their evidence."""

    id: str
    llm: str | None = Field(description="null: prompts from knowledge alone, no language model")
    notices: list[str] = []
    published_as: str | None = Field(
        default=None, description="`name@version`, where this prompt set was reviewed and published"
    )


class ScoreBody(_Body):
    """One class."""

    label: str
    meaning: str
    grounded: bool = Field(description="false: no source knows the label, it was encoded bare")
    score: float = Field(description="Cosine between ECG and prompt, -1 to 1")
    percentile: float | None = Field(
        description="Place among the scores of the same prompt on the reference bank, 0 to 100"
    )
    percentile_interval: tuple[float, float] | None = Field(
        description="95 % interval of the percentile, given the size of the reference bank"
    )
    probability: float | None = Field(description="Only where a calibration was fitted")
    prompt: str
    rank: int = Field(description="1 is the highest score")
    notes: list[str]


class WarningBody(_Body):
    """Something that was changed, or that is in doubt."""

    code: str
    message: str


class ClassifyAnswer(_Body):
    """Answer of `POST /classify`."""

    record: RecordBody
    model: ModelBody
    prompt_set: PromptSetRef
    scores: list[ScoreBody]
    warnings: list[WarningBody]
    timings_ms: dict[str, float] = Field(
        description="Milliseconds of each stage, and `total`; `quality` is assessed while the ECG "
        "is encoded, so the stages may sum to more"
    )
    disclaimer: str = DISCLAIMER


class ProblemBody(BaseModel):
    """An error (RFC 9457, `application/problem+json`)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable name of the kind of error")
    request_id: str | None = None
    errors: list[dict[str, Any]] | None = Field(
        default=None, description="Where parameters are not valid"
    )


class BatchItem(_Body):
    """One record of a batch: its result or its error."""

    index: int
    n_records: int = Field(description="Records of the whole request")
    files: list[str] = Field(description="The parts of this record, as named in the request")
    result: ClassifyAnswer | None = None
    error: ProblemBody | None = None


class BatchAnswer(_Body):
    """Answer of `POST /classify/batch`."""

    results: list[BatchItem]
    n_failed: int
    disclaimer: str = DISCLAIMER


class PromptSetSummary(_Body):
    """One stored prompt set in a list."""

    id: str
    created_at: datetime
    label_set: str | None
    llm: str | None
    n_labels: int


class PromptSetPage(_Body):
    """Stored prompt sets, the newest first."""

    items: list[PromptSetSummary]
    total: int
    next_offset: int | None


class LabelSetSummary(_Body):
    """One label set in a list."""

    name: str
    title: str
    n_labels: int


class LabelBody(_Body):
    """One class of a label set."""

    key: str
    code: str
    meaning: str
    concept_ids: list[str]
    notes: list[str]


class LabelSetBody(_Body):
    """A label set with its classes."""

    name: str
    title: str
    labels: list[LabelBody]


class ModelInfo(ModelBody):
    """A model that this service offers."""

    is_default: bool
    config: dict[str, Any]


class HitBody(_Body):
    """A concept that a query found."""

    concept_id: str
    canonical_name: str
    source: str
    score: float = Field(description="How well it fits the query, 0 to 1")
    matched: str
    xrefs: list[str]


class HealthBody(_Body):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class ReadyBody(_Body):
    """Index and model are loaded."""

    status: Literal["ready"] = "ready"
    model: str
    llm: str | None = Field(description="null: knowledge-only mode")
    n_concepts: int
