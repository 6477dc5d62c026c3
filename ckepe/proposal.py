"""Proposal: which sub-types and attributes a label may have, from knowledge or an LLM."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ckepe.errors import LLMError
from ckepe.llm import LanguageModel, Turn
from ckepe.retrieval import HybridRetriever
from ckepe.templates import fill, template_hashes
from knowledge_sources.concept import Concept
from knowledge_sources.knowledge_base import KnowledgeBase

_FENCE: Final = re.compile(r"^\s*```(?:json)?\s*(.*?)\s*(?:```\s*)?$", re.DOTALL)
_MOST_EVIDENCE: Final = 24


@dataclass(frozen=True, slots=True)
class Proposal:
    """Phrases proposed for a label, not yet verified."""

    proposed_by: str
    subtypes: tuple[str, ...]
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many phrases a prompt may have."""

    max_subtypes: int = 6
    max_attributes: int = 6


class Proposer(Protocol):
    """Proposes phrases for a grounded label."""

    def propose(self, label: str, concept_ids: Sequence[str], limits: Limits) -> Proposal:
        """Return phrases for a label that means these concepts."""


class KnowledgeProposer:
    """Proposes what the knowledge graph holds: descendants as sub-types, criteria as attributes.

    Args:
        knowledge_base: The graph.
    """

    def __init__(self, knowledge_base: KnowledgeBase) -> None:
        self._knowledge_base = knowledge_base

    def propose(self, label: str, concept_ids: Sequence[str], limits: Limits) -> Proposal:
        """Return the nearest descendants' names and the concepts' own criteria, in order."""
        heads = dict.fromkeys(self._knowledge_base.head(c) for c in concept_ids)
        subtypes = [s for head in heads for s in self._subtypes(head)]
        attributes = [a for head in heads for a in self._attributes(head)]
        return Proposal("knowledge", _first(subtypes, limits.max_subtypes),
                        _first(attributes, limits.max_attributes))  # fmt: skip

    def _subtypes(self, head: str) -> list[str]:
        """Names of the descendants, those one step below first, our own table's before others'."""
        knowledge = self._knowledge_base
        order = list(knowledge.concepts)
        found: dict[str, None] = {}
        level = [head]
        while level:
            children = sorted(
                {c for one in level for c in knowledge.children(one)} - set(found), key=order.index
            )
            found.update(dict.fromkeys(children))
            level = children
        own = [h for h in found if knowledge.concepts[h].source == knowledge.concepts[head].source]
        return [knowledge.concepts[h].canonical_name for h in own]

    def _attributes(self, head: str) -> list[str]:
        criteria = self._knowledge_base.get(head).criteria
        ordered = sorted(criteria, key=lambda c: not c.is_required)
        return [c.text for c in ordered]


def _first(texts: Sequence[str], count: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))[:count]


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=160)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: _Text
    evidence: list[Annotated[str, StringConstraints(max_length=8)]] = Field(max_length=6)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    subtypes: list[_Item] = Field(max_length=12)
    attributes: list[_Item] = Field(max_length=12)


class LLMProposer:
    """Asks a language model, with the retrieved evidence in front of it.

    What it proposes is a suggestion: an item that cites none of the evidence is dropped, the rest
    goes to verification like any other phrase.

    Args:
        llm: The model.
        retriever: Finds the evidence.
        cache: Where answers are kept; None keeps none.
    """

    def __init__(
        self, llm: LanguageModel, retriever: HybridRetriever, cache: "AnswerCache | None" = None
    ) -> None:
        self._llm = llm
        self._retriever = retriever
        self._cache = cache

    def propose(self, label: str, concept_ids: Sequence[str], limits: Limits) -> Proposal:
        """Return the model's phrases that cite evidence.

        Raises:
            LLMError: Unreachable, or no usable answer twice in a row.
        """
        evidence = self._gather(label, concept_ids)
        turns = _ask(label, evidence, limits)
        key = _cache_key(self._llm.model_id, turns)
        answer = self._cache.get(key) if self._cache else None
        if answer is None:
            answer = self._complete(turns)
            if self._cache:
                self._cache.put(key, answer)
        return Proposal(
            self._llm.model_id,
            _first([i.text for i in answer.subtypes if _cites(i, evidence)], limits.max_subtypes),
            _first(
                [i.text for i in answer.attributes if _cites(i, evidence)], limits.max_attributes
            ),
        )

    def _gather(self, label: str, concept_ids: Sequence[str]) -> dict[str, str]:
        knowledge = self._retriever.knowledge_base
        heads = dict.fromkeys(knowledge.head(c) for c in concept_ids)
        for head in tuple(heads):
            heads.update(dict.fromkeys(sorted(knowledge.children(head))))
        heads.update(dict.fromkeys(hit.concept_id for hit in self._retriever.search(label, 5)))
        texts = [t for head in heads for t in _evidence_texts(knowledge.get(head))]
        return {f"E{n}": text for n, text in enumerate(_first(texts, _MOST_EVIDENCE), start=1)}

    def _complete(self, turns: list[Turn]) -> _Answer:
        """The model's answer; asked once more if the first cannot be used."""
        schema = _Answer.model_json_schema()
        problem = ""
        for attempt in range(2):
            completion = self._llm.complete(turns, schema)
            if not completion.is_complete:
                problem = "it was cut off before its end; answer with fewer items"
            else:
                try:
                    return _Answer.model_validate_json(_unfence(completion.text))
                except ValidationError as error:
                    first = error.errors()[0]
                    place = ".".join(map(str, first["loc"])) or "answer"
                    problem = f"{place}: {first['msg']}"
            if attempt == 0:
                repair = Turn("user", fill("repair", problem=problem))
                turns = [*turns, Turn("assistant", completion.text[:2000]), repair]
        msg = f"the language model {self._llm.model_id!r} gave no usable answer twice: {problem}"
        raise LLMError(msg)


def _evidence_texts(concept: Concept) -> list[str]:
    texts = [concept.canonical_name]
    if concept.definition:
        texts.append(f"{concept.canonical_name}: {concept.definition}")
    return texts + [f"{concept.canonical_name}: {c.text}" for c in concept.criteria]


def _ask(label: str, evidence: dict[str, str], limits: Limits) -> list[Turn]:
    data = json.dumps({"class": label, "evidence": evidence}, ensure_ascii=False, indent=1)
    system = fill(
        "propose_system",
        max_subtypes=limits.max_subtypes,
        max_attributes=limits.max_attributes,
    )
    return [Turn("system", system), Turn("user", fill("propose_user", data=_defuse(data)))]


def _defuse(data: str) -> str:
    """Keep the data from closing its own delimiter."""
    return data.replace("<", "\\u003c").replace(">", "\\u003e")


def _cites(item: _Item, evidence: dict[str, str]) -> bool:
    return any(key in evidence for key in item.evidence)


def _unfence(text: str) -> str:
    fenced = _FENCE.match(text)
    return fenced[1] if fenced else text


def _cache_key(model_id: str, turns: Sequence[Turn]) -> str:
    content: list[Any] = [model_id, template_hashes(), [[t.role, t.text] for t in turns]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class AnswerCache:
    """Answers of language models on disk, by model, templates, label and evidence.

    Args:
        folder: Made when the first answer is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> _Answer | None:
        """Return the answer kept under this key, if there is one and it is whole."""
        path = self._folder / f"{key}.json"
        try:
            return _Answer.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def put(self, key: str, answer: _Answer) -> None:
        """Keep an answer; a reader never sees half of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{key}.partial"
        partial.write_text(answer.model_dump_json(), encoding="utf-8")
        partial.replace(self._folder / f"{key}.json")
