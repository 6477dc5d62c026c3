"""Review: what people decide about the phrases of a prompt set, and the set that follows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ckepe.composition import Fits, Style, compose
from ckepe.errors import CkepeError
from ckepe.prompt_set import LabelPrompt, Phrase, PromptSet, RejectedPhrase, Relation


class Action(StrEnum):
    """What a reviewer does with a phrase."""

    PROPOSE = "propose"
    """Adds one, still to be decided on."""
    APPROVE = "approve"
    REJECT = "reject"
    EDIT = "edit"
    """Puts another wording in its place."""


class Status(StrEnum):
    """Where a phrase stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Decision:
    """One step of a review."""

    action: Action
    label: str
    phrase: str
    reviewer: str
    reason: str
    wording: Phrase | None = None
    """With its verdict: the phrase that is proposed, or that stands in the place of another."""


@dataclass(frozen=True, slots=True)
class ReviewedPhrase:
    """A phrase of a label, and what was decided about it last."""

    label: str
    phrase: Phrase
    status: Status
    was_refused: bool = False
    """Whether verification had refused it when the set was made."""
    wording: Phrase | None = None
    """Stands in its place."""
    reviewer: str = ""
    reason: str = ""

    @property
    def kept(self) -> Phrase | None:
        """The phrase that goes into the prompt, if one does."""
        if self.status is Status.REJECTED:
            return None
        return self.wording or self.phrase


def reviewed_phrases(base: PromptSet, decisions: Iterable[Decision]) -> list[ReviewedPhrase]:
    """Return every phrase of a set with what was decided about it, label by label.

    Raises:
        CkepeError: A decision is about a label or phrase that is not there, or proposes one that
            is there already.
    """
    found = {
        prompt.label: {item.phrase.text: item for item in _phrases_of(prompt)}
        for prompt in base.prompts
    }
    for decision in decisions:
        _decide(found, decision)
    return [item for phrases in found.values() for item in phrases.values()]


def revise(base: PromptSet, decisions: Iterable[Decision], fits: Fits) -> PromptSet:
    """Return the set that follows from the decisions; phrases not decided on stay.

    Where nothing was changed it is the same set, with the same id.

    Args:
        base: The set under review.
        decisions: In the order in which they were taken.
        fits: Whether the encoder reads a text whole.
    """
    items = reviewed_phrases(base, decisions)
    style = Style(str(base.generator.options.get("style", Style.FULL)))
    prompts = tuple(
        _revise_label(prompt, [item for item in items if item.label == prompt.label], style, fits)
        for prompt in base.prompts
    )
    return PromptSet(
        label_set=base.label_set, generator=base.generator, prompts=prompts, notices=base.notices
    )


def _phrases_of(prompt: LabelPrompt) -> list[ReviewedPhrase]:
    accepted = [
        ReviewedPhrase(prompt.label, phrase, Status.PENDING)
        for phrase in (*prompt.subtypes, *prompt.attributes)
    ]
    refused = [
        ReviewedPhrase(
            prompt.label, phrase, Status.REJECTED, was_refused=True, reason=phrase.reason
        )
        for phrase in prompt.rejected
    ]
    return accepted + refused


def _decide(found: Mapping[str, dict[str, ReviewedPhrase]], decision: Decision) -> None:
    if decision.label not in found:
        msg = f"the prompt set has no label {decision.label!r}"
        raise CkepeError(msg)
    phrases = found[decision.label]
    is_there = decision.phrase in phrases
    if decision.action is Action.PROPOSE:
        if is_there or decision.wording is None:
            msg = f"label {decision.label!r} has the phrase {decision.phrase!r} already"
            raise CkepeError(msg)
        phrases[decision.phrase] = ReviewedPhrase(
            decision.label,
            decision.wording,
            Status.PENDING,
            reviewer=decision.reviewer,
            reason=decision.reason,
        )
        return
    if not is_there:
        msg = f"label {decision.label!r} has no phrase {decision.phrase!r}"
        raise CkepeError(msg)
    status = {
        Action.APPROVE: Status.APPROVED,
        Action.REJECT: Status.REJECTED,
        Action.EDIT: Status.EDITED,
    }[decision.action]
    phrases[decision.phrase] = replace(
        phrases[decision.phrase],
        status=status,
        wording=decision.wording if decision.action is Action.EDIT else None,
        reviewer=decision.reviewer,
        reason=decision.reason,
    )


def _revise_label(
    prompt: LabelPrompt, items: Sequence[ReviewedPhrase], style: Style, fits: Fits
) -> LabelPrompt:
    kept = [phrase for item in items if (phrase := item.kept) is not None]
    if kept == [*prompt.subtypes, *prompt.attributes]:
        return prompt
    kinds = (Relation.NARROWER, Relation.SAME)
    subtypes = [phrase for phrase in kept if phrase.relation in kinds]
    attributes = [phrase for phrase in kept if phrase.relation not in kinds]
    composed = compose(
        (_head(prompt),),
        [p.text for p in subtypes],
        [p.text for p in attributes],
        style,
        fits=fits,
    )
    notes = [*prompt.notes, *_notes(items), *([composed.note] if composed.note else [])]
    return prompt.model_copy(
        update={
            "text": composed.text,
            "subtypes": tuple(_plain(phrase) for phrase in subtypes),
            "attributes": tuple(_plain(phrase) for phrase in attributes),
            "rejected": tuple(_refused(item) for item in items if item.kept is None),
            "notes": tuple(notes),
        }
    )


def _head(prompt: LabelPrompt) -> str:
    """Return what a prompt begins with: its names, before the first of its phrases."""
    lowered = prompt.text.lower()
    places = [
        lowered.find(f", {phrase.text.strip(' ,.').lower()}")
        for phrase in (*prompt.subtypes, *prompt.attributes)
    ]
    return prompt.text[: min((place for place in places if place > 0), default=len(prompt.text))]


def _plain(phrase: Phrase) -> Phrase:
    """Return a phrase without the reason of a refusal that no longer holds."""
    return Phrase(
        text=phrase.text,
        relation=phrase.relation,
        evidence=phrase.evidence,
        proposed_by=phrase.proposed_by,
    )


def _refused(item: ReviewedPhrase) -> RejectedPhrase:
    reason = f"{item.reviewer}: {item.reason}" if item.reviewer else item.reason
    return RejectedPhrase(**_plain(item.phrase).model_dump(), reason=reason)


def _notes(items: Iterable[ReviewedPhrase]) -> list[str]:
    """Return a note for each phrase that stands against the word of verification."""
    return [
        f"Kept by {item.reviewer} against verification ({kept.relation}): {kept.text!r}. "
        f"{item.reason}"
        for item in items
        if (kept := item.kept) is not None and not kept.relation.is_accepted
    ]
