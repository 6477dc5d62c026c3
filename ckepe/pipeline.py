"""The pipeline: labels in words -> verified prompts with their evidence."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from ckepe.composition import Style, compose
from ckepe.errors import CkepeError, LLMError
from ckepe.prompt_set import (
    Generator,
    LabelPrompt,
    Phrase,
    PromptSet,
    RejectedPhrase,
    Relation,
    SourceVersion,
)
from ckepe.proposal import KnowledgeProposer, Limits, Proposal, Proposer
from ckepe.retrieval import HybridRetriever
from ckepe.templates import template_hashes
from ckepe.verification import Verdict, Verifier
from knowledge_sources.knowledge_base import KnowledgeBase
from knowledge_sources.label_sets import Label, find_label, label_sets

LLMMode = Literal["auto", "off", "required"]
Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""

_LLM_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Grounding:
    """What a label was taken to mean."""

    label: str
    """As it is written in the prompt set."""
    meaning: str
    concept_ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """What the prompt begins with."""
    notes: tuple[str, ...] = field(default=())


class PromptEngineer:
    """Engineers and verifies prompts.

    Args:
        knowledge_base: What counts as known.
        retriever: Takes labels to concepts.
        llm_proposer: Proposes phrases by a language model; None where none is configured.
        llm_id: `provider:model` of that model.
    """

    def __init__(
        self,
        knowledge_base: KnowledgeBase,
        retriever: HybridRetriever,
        llm_proposer: Proposer | None = None,
        llm_id: str | None = None,
    ) -> None:
        self.knowledge_base = knowledge_base
        self.retriever = retriever
        self._knowledge_proposer = KnowledgeProposer(knowledge_base)
        self._llm_proposer = llm_proposer
        self._llm_id = llm_id
        self._verifier = Verifier(knowledge_base, retriever.find_near)

    def engineer(
        self,
        labels: Sequence[str],
        *,
        label_set: str | None = None,
        llm: LLMMode = "auto",
        max_subtypes: int = 6,
        max_attributes: int = 6,
        style: Style = Style.FULL,
        on_progress: Progress | None = None,
    ) -> PromptSet:
        """Return verified prompts for the labels.

        Args:
            labels: In any wording; `set:code` for a class of a label set.
            label_set: Whose codes the labels may be. With no labels, all of its classes.
            llm: `auto` asks the model if there is one and answers from knowledge if it fails, and
                says so in the set's notices; `required` fails with it; `off` does not ask.
            max_subtypes: At most so many sub-types in a prompt.
            max_attributes: At most so many attributes in a prompt.
            style: What a prompt holds.
            on_progress: Called after each label, and before that after each that the language
                model was asked about.

        Raises:
            CkepeError: No labels, or an empty one.
            KnowledgeError: A label set or code does not exist.
            LLMError: The model is required and fails, or is not configured.
        """
        grounded = [self.ground(label, label_set) for label in _all_labels(labels, label_set)]
        limits = Limits(max_subtypes, max_attributes)
        n_asked = self._n_asked(grounded, llm)

        def tell(done: int) -> None:
            if on_progress is not None:
                on_progress(done, n_asked + len(grounded))

        proposals, llm_id, notices = self._propose_by_llm(grounded, limits, llm, tell)
        prompts = []
        for done, grounding in enumerate(grounded, start=n_asked + 1):
            offered = proposals.get(grounding.label)
            prompts.append(self._engineer_one(grounding, offered, limits, style))
            tell(done)
        return PromptSet(
            label_set=label_set,
            generator=self._generator(llm_id, limits, style),
            prompts=tuple(prompts),
            notices=notices,
        )

    def verify(
        self, label: str, phrases: Sequence[str], label_set: str | None = None
    ) -> list[Verdict]:
        """Return the verdict on each phrase for a label.

        Raises:
            KnowledgeError: A label set or code does not exist.
        """
        concept_ids = self.ground(label, label_set).concept_ids
        return [self._verifier.verify(phrase, concept_ids) for phrase in phrases]

    def fits(self, text: str) -> bool:
        """Return whether a prompt is within the token limit of the encoder that reads it."""
        return self.retriever.fits(text)

    def ground(self, label: str, label_set: str | None = None) -> Grounding:
        """Return what a label means; a label that no source knows keeps its own words.

        Raises:
            KnowledgeError: A label set or code does not exist.
        """
        text = " ".join(label.split())
        benchmark = find_label(text) or _code_of(text, label_set)
        if benchmark is not None:
            return self._ground_benchmark(benchmark)
        hit = self.retriever.ground(text, label_set)
        if hit is None:
            note = "No knowledge source knows this label: its bare words are the prompt."
            return Grounding(text, text, (), (text,), (note,))
        concept = self.knowledge_base.get(hit.concept_id)
        is_name = hit.score >= 1.0
        names = (concept.canonical_name,) if is_name else (text, concept.canonical_name)
        notes = list(concept.notes)
        if not is_name:
            notes.append(f"Taken to mean {concept.canonical_name} (likeness {hit.score:.2f}).")
        others = [h for h in self.knowledge_base.by_alias(text) if h != hit.concept_id]
        if others:
            also = ", ".join(self.knowledge_base.get(h).canonical_name for h in others)
            notes.append(f"The name is ambiguous, it also stands for: {also}.")
        return Grounding(text, concept.canonical_name, (hit.concept_id,), names, tuple(notes))

    def _ground_benchmark(self, label: Label) -> Grounding:
        heads = tuple(self.knowledge_base.head(c) for c in label.concept_ids)
        own = [note for h in heads for note in self.knowledge_base.get(h).notes]
        notes = tuple(dict.fromkeys((*label.notes, *own)))
        return Grounding(label.key, label.meaning, heads, (label.meaning,), notes)

    def _n_asked(self, grounded: Sequence[Grounding], mode: LLMMode) -> int:
        """Return how many labels the language model is asked about."""
        if mode == "off" or self._llm_proposer is None:
            return 0
        return sum(bool(g.concept_ids) for g in grounded)

    def _propose_by_llm(
        self,
        grounded: Sequence[Grounding],
        limits: Limits,
        mode: LLMMode,
        tell: Callable[[int], None],
    ) -> tuple[dict[str, Proposal], str | None, tuple[str, ...]]:
        if mode == "off":
            return {}, None, ("prompts from knowledge alone: the language model was not asked",)
        if self._llm_proposer is None:
            if mode == "required":
                msg = "a language model is required and none is configured (MERL_LLM_BASE_URL)"
                raise LLMError(msg)
            return {}, None, ("prompts from knowledge alone: no language model is configured",)
        proposer = self._llm_proposer
        known = [g for g in grounded if g.concept_ids]
        try:
            with ThreadPoolExecutor(_LLM_WORKERS) as pool:
                proposals = pool.map(
                    lambda g: proposer.propose(g.meaning, g.concept_ids, limits), known
                )
                found: dict[str, Proposal] = {}
                for grounding, proposal in zip(known, proposals, strict=True):
                    found[grounding.label] = proposal
                    tell(len(found))
                return found, self._llm_id, ()
        except LLMError as error:
            if mode == "required":
                raise
            return {}, None, (f"prompts from knowledge alone: {error}",)

    def _engineer_one(
        self, grounding: Grounding, offered: Proposal | None, limits: Limits, style: Style
    ) -> LabelPrompt:
        ids = grounding.concept_ids
        proposals = [offered] if offered else []
        if ids:
            proposals.append(self._knowledge_proposer.propose(grounding.meaning, ids, limits))
        accepted: dict[str, Phrase] = {}
        rejected: dict[str, RejectedPhrase] = {}
        for proposal in proposals:
            for text in (*proposal.subtypes, *proposal.attributes):
                if text in accepted or text in rejected:
                    continue
                verdict = self._verifier.verify(text, ids)
                if verdict.is_accepted:
                    accepted[text] = _to_phrase(verdict, proposal.proposed_by)
                else:
                    rejected[text] = _to_rejected(verdict, proposal.proposed_by)
        kinds = (Relation.NARROWER, Relation.SAME)
        subtypes = [p for p in accepted.values() if p.relation in kinds][: limits.max_subtypes]
        attributes = [p for p in accepted.values() if p.relation not in kinds]
        attributes = attributes[: limits.max_attributes]
        composed = compose(
            grounding.names,
            [p.text for p in subtypes],
            [p.text for p in attributes],
            style,
            fits=self.fits,
        )
        return LabelPrompt(
            label=grounding.label,
            meaning=grounding.meaning,
            is_grounded=bool(ids),
            concept_ids=ids,
            text=composed.text,
            subtypes=tuple(subtypes),
            attributes=tuple(attributes),
            rejected=tuple(rejected.values()),
            notes=(*grounding.notes, composed.note) if composed.note else grounding.notes,
        )

    def _generator(self, llm_id: str | None, limits: Limits, style: Style) -> Generator:
        sources = self.knowledge_base.sources.values()
        return Generator(
            llm=llm_id,
            templates=template_hashes() if llm_id else {},
            sources=tuple(
                SourceVersion(key=s.key, name=s.name, version=s.version) for s in sources
            ),
            options={
                "max_subtypes": limits.max_subtypes,
                "max_attributes": limits.max_attributes,
                "style": style.value,
            },
        )


def _all_labels(labels: Sequence[str], label_set: str | None) -> list[str]:
    wanted = [label for label in labels if label.strip()]
    if len(wanted) < len(labels):
        msg = "a label is empty; expected the name of a class"
        raise CkepeError(msg)
    if not wanted and label_set is not None and label_set in label_sets():
        wanted = [label.key for label in label_sets()[label_set].labels]
    if not wanted:
        msg = "no labels given; expected at least one class or the name of a label set"
        raise CkepeError(msg)
    return list(dict.fromkeys(wanted))


def _code_of(text: str, label_set: str | None) -> Label | None:
    if label_set is None or label_set not in label_sets():
        return None
    labels = label_sets()[label_set].labels
    return next((label for label in labels if label.code.casefold() == text.casefold()), None)


def _to_phrase(verdict: Verdict, proposed_by: str) -> Phrase:
    return Phrase(
        text=verdict.phrase,
        relation=verdict.relation,
        evidence=verdict.evidence,
        proposed_by=proposed_by,
    )


def _to_rejected(verdict: Verdict, proposed_by: str) -> RejectedPhrase:
    return RejectedPhrase(
        text=verdict.phrase,
        relation=verdict.relation,
        evidence=verdict.evidence,
        proposed_by=proposed_by,
        reason=verdict.reason,
    )
