"""Bodies of the review workflow: propose, approve, reject, edit, publish."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ckepe.review import Action, Status

PUBLICATION_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"

Name = Annotated[
    str,
    Field(
        pattern=PUBLICATION_NAME,
        description="Lower-case name that the result is published under, such as `af-study`",
    ),
]
Reviewer = Annotated[
    str, Field(min_length=1, max_length=100, pattern=r"\S", description="Who decides")
]
Reason = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S", description="Why")]
PhraseText = Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OpenReview(_Body):
    """Which prompt set to review, and under which name the result will be published."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "af-study",
                    "prompt_set_id": "8c" * 32,
                    "reviewer": "R. Reviewer",
                    "reason": "Prompts of the 2027 study",
                }
            ]
        },
    )

    name: Name
    prompt_set_id: Sha256
    reviewer: Reviewer
    reason: Reason


class DecisionRequest(_Body):
    """What to do with one phrase of one label."""

    action: Action
    label: str = Field(min_length=1, max_length=300)
    phrase: PhraseText = Field(description="As the prompt set has it; with `propose`, a new one")
    text: PhraseText | None = Field(default=None, description="The new wording; only with `edit`")
    override: bool = Field(
        default=False, description="Keep a phrase that verification refuses; a note will say so"
    )


class DecideRequest(_Body):
    """Decisions that share a reviewer and a reason; all of them are taken, or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "reviewer": "R. Reviewer",
                    "reason": "Rate is no criterion of the rhythm",
                    "decisions": [
                        {
                            "action": "reject",
                            "label": "atrial fibrillation",
                            "phrase": "atrial fibrillation with rapid ventricular response",
                        }
                    ],
                }
            ]
        },
    )

    reviewer: Reviewer
    reason: Reason
    decisions: list[DecisionRequest] = Field(min_length=1, max_length=1000)


class PublishRequest(_Body):
    """Who publishes, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"reviewer": "R. Reviewer", "reason": "Agreed on by the study group"}]
        },
    )

    reviewer: Reviewer
    reason: Reason


class ReviewPhraseBody(_Body):
    """A phrase and where it stands."""

    label: str
    phrase: str
    relation: str
    evidence: list[dict[str, Any]]
    proposed_by: str = Field(description="`knowledge`, a model's id, or `reviewer:` and a name")
    status: Status
    was_refused: bool = Field(description="Verification refused it when the set was made")
    wording: str | None = Field(description="What stands in its place, where it was edited")
    reviewer: str
    reason: str


class ReviewSummary(_Body):
    """A review in a list."""

    id: str
    name: str
    prompt_set_id: str = Field(description="The set that is reviewed")
    state: Literal["open", "published"]
    created_at: datetime


class ReviewBody(ReviewSummary):
    """A review with every phrase."""

    n_pending: int = Field(description="Phrases still to be decided on; publishing needs 0")
    prompts: dict[str, str] = Field(description="Label to prompt text as it would be published now")
    phrases: list[ReviewPhraseBody]


class ReviewPage(_Body):
    """One page of the list of reviews."""

    items: list[ReviewSummary]
    total: int
    next_offset: int | None


class ReviewEventBody(_Body):
    """One entry of the audit trail."""

    number: int
    at: datetime
    action: Literal["open", "propose", "approve", "reject", "edit", "publish"]
    reviewer: str
    api_key: str | None = Field(description="Name of the API key that the request came with")
    reason: str
    label: str | None
    phrase: str | None
    wording: dict[str, Any] | None = Field(description="Proposed or new phrase with its verdict")


class ReviewEventPage(_Body):
    """One page of an audit trail, the oldest first."""

    items: list[ReviewEventBody]
    total: int
    next_offset: int | None


class PublicationBody(_Body):
    """A published version."""

    reference: str = Field(description="`name@version`: what `POST /classify` takes")
    name: str
    version: int
    prompt_set_id: str
    review_id: str
    reviewer: str
    reason: str
    at: datetime


class PublicationPage(_Body):
    """One page of the list of publications, the newest first."""

    items: list[PublicationBody]
    total: int
    next_offset: int | None


class ChangeBody(_Body):
    """One difference between two prompt sets."""

    label: str
    kind: Literal["added", "removed", "changed"]
    what: str
    reason: str


class DiffBody(_Body):
    """What the second set adds, drops or words otherwise."""

    from_id: str
    to_id: str
    changes: list[ChangeBody]
