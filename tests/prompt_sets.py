"""A prompt set of one class, for tests of what is done with sets."""

from collections.abc import Sequence

from ckepe.prompt_set import (
    Evidence,
    Generator,
    LabelPrompt,
    Phrase,
    PromptSet,
    RejectedPhrase,
    Relation,
)


def phrase(text: str, relation: Relation = Relation.ATTRIBUTE) -> Phrase:
    evidence = Evidence(concept_id="ECG:x", source="merl", version="1", matched=text, score=1.0)
    return Phrase(text=text, relation=relation, evidence=(evidence,))


def one_class_set(
    label: str,
    *phrases: Phrase,
    names: Sequence[str] = (),
    rejected: Sequence[RejectedPhrase] = (),
) -> PromptSet:
    """Return a set whose prompt is the label, other names of it, and the phrases."""
    prompt = LabelPrompt(
        label=label,
        meaning=label,
        is_grounded=True,
        concept_ids=("ECG:x",),
        text=", ".join([label, *names, *(item.text for item in phrases)]),
        subtypes=tuple(p for p in phrases if p.relation is Relation.NARROWER),
        attributes=tuple(p for p in phrases if p.relation is Relation.ATTRIBUTE),
        rejected=tuple(rejected),
    )
    return PromptSet(generator=Generator(llm=None, templates={}, sources=()), prompts=(prompt,))
