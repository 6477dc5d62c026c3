"""KnowledgeBase: concepts of all sources, joined by shared identifiers into one is-a graph."""

import dataclasses
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import Final

from knowledge_sources.concept import Concept, Source, Terminology
from knowledge_sources.ecg_statements import load_ecg_statements
from knowledge_sources.errors import KnowledgeError
from knowledge_sources.hpo import load_hpo
from knowledge_sources.icd10cm import load_icd10cm
from knowledge_sources.naming import expand_acronyms, normalize_name, word_key
from knowledge_sources.user_sources import NO_USER_SOURCES, UserSources

DEFAULT_SOURCES: Final = ("merl", "hpo", "icd10cm")
_LOADERS: Final = {"merl": load_ecg_statements, "hpo": load_hpo, "icd10cm": load_icd10cm}
_BROAD_IDENTIFIERS: Final = frozenset(
    {"SNOMED:102594003", "UMLS:C0522055", "UMLS:C0027051", "SNOMED:44808001", "ICD10CM:I51.7"}
)
"""Identifiers that sources attach to many different concepts; they join nothing."""
_BARE_CODES: Final = frozenset({"snomed", "umls", "icd10cm"})
"""Terminologies whose codes are recognised without their prefix: 164889003, C0004238, I48.91."""
_BRACKETED: Final = re.compile(r"^(?P<outer>[^()]*\S)\s*\((?P<inner>[^()]+)\)\s*$")


class KnowledgeBase:
    """Concepts by id, by name and in their is-a graph.

    Concepts of different sources that stand for the same thing form a *cluster*; its *head* is
    our own concept where there is one. The graph is between heads. Between two of our own
    concepts only our own table draws is-a edges; other sources add edges elsewhere, and never a
    cycle.

    Args:
        terminologies: Loaded sources; earlier ones take precedence as heads.

    Raises:
        KnowledgeError: Two sources share a key, a concept id is given twice, or our own is-a
            edges form a cycle.
    """

    def __init__(self, terminologies: Sequence[Terminology]) -> None:
        self.sources: Mapping[str, Source] = _by_key(t.source for t in terminologies)
        self.concepts: Mapping[str, Concept] = _by_id(c for t in terminologies for c in t.concepts)
        self._rank = {t.source.key: rank for rank, t in enumerate(terminologies)}
        self._head, self._members = self._join()
        self._parents: dict[str, set[str]] = defaultdict(set)
        self._children: dict[str, set[str]] = defaultdict(set)
        self._draw_edges()
        self._names, self._word_keys = self._index_names()
        self._contradictions = self._index_contradictions()
        self.content_hash = _hash_content(self.sources, self.concepts)

    def get(self, concept_id: str) -> Concept:
        """Return a concept by its id.

        Raises:
            KnowledgeError: No source has it.
        """
        try:
            return self.concepts[concept_id]
        except KeyError:
            msg = f"concept {concept_id!r} is in none of the sources {', '.join(self.sources)}"
            raise KnowledgeError(msg) from None

    def head(self, concept_id: str) -> str:
        """Return the id that stands for the concept's cluster."""
        return self._head[self.get(concept_id).concept_id]

    def cluster(self, concept_id: str) -> tuple[str, ...]:
        """Return the ids of all concepts that mean the same, the head first."""
        return self._members[self.head(concept_id)]

    def heads(self) -> tuple[str, ...]:
        """Return one id for each cluster."""
        return tuple(self._members)

    def cluster_xrefs(self, concept_id: str) -> tuple[str, ...]:
        """Return every identifier of the cluster as `PREFIX:ID`, without repetition."""
        found: dict[str, None] = {}
        for member in self.cluster(concept_id):
            if not member.startswith("ECG:"):
                found[member] = None
            found.update(dict.fromkeys(self.concepts[member].xrefs))
        return tuple(found)

    def by_alias(self, text: str) -> list[str]:
        """Return the heads that carry this name, best match first; empty if none does.

        Compared without case, hyphens, plural and spelling; then also without word order and with
        acronyms written out. A name may carry a second one in brackets, `atrial fibrillation
        (AF)`: both must then mean the same where both are known.
        """
        name = normalize_name(text)
        found = self._names.get(name) or self._names.get(expand_acronyms(name))
        found = found or self._word_keys.get(word_key(text))
        if found is None and (bracketed := _BRACKETED.match(text)):
            outer, inner = self.by_alias(bracketed["outer"]), self.by_alias(bracketed["inner"])
            return [h for h in outer if h in inner] if outer and inner else outer
        return list(found or ())

    def by_identifier(self, text: str) -> list[str]:
        """Return the heads that carry an identifier: `SCP:CLBBB`, `snomed:164889003`, `I48.91`.

        The id of a concept is that concept's alone; of other identifiers, several concepts may
        carry one. Empty where none has it.
        """
        if text.strip() in self.concepts:
            return [self.head(text.strip())]
        return list(self._identifiers.get(text.strip().casefold(), ()))

    @cached_property
    def _identifiers(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for concept in sorted(self.concepts.values(), key=lambda c: self._rank[c.source]):
            for identifier in (concept.concept_id, *concept.xrefs):
                prefix, _, code = identifier.casefold().partition(":")
                for written in (f"{prefix}:{code}", *([code] if prefix in _BARE_CODES else ())):
                    found[written][self._head[concept.concept_id]] = None
        return {identifier: tuple(heads) for identifier, heads in found.items()}

    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Return the heads by normalised name."""
        return self._names

    def parents(self, concept_id: str) -> frozenset[str]:
        """Return the heads one step above."""
        return frozenset(self._parents.get(self.head(concept_id), ()))

    def children(self, concept_id: str) -> frozenset[str]:
        """Return the heads one step below."""
        return frozenset(self._children.get(self.head(concept_id), ()))

    def ancestors(self, concept_id: str) -> frozenset[str]:
        """Return all heads above, the concept itself left out."""
        return self._reach(self.head(concept_id), self._parents)

    def descendants(self, concept_id: str) -> frozenset[str]:
        """Return all heads below, the concept itself left out."""
        return self._reach(self.head(concept_id), self._children)

    def contradictions(self, concept_id: str) -> frozenset[str]:
        """Return the heads that cannot hold together with the concept.

        What contradicts an ancestor contradicts the concept too, unless it is one of the
        concept's own ancestors or descendants.
        """
        head = self.head(concept_id)
        lineage = self.ancestors(head) | {head}
        found: set[str] = set()
        for one in lineage:
            for other in self._contradictions.get(one, ()):
                found |= {other, *self.descendants(other)}
        return frozenset(found - lineage - self.descendants(head))

    def _reach(self, start: str, edges: Mapping[str, set[str]]) -> frozenset[str]:
        found: set[str] = set()
        queue = list(edges.get(start, ()))
        while queue:
            one = queue.pop()
            if one not in found:
                found.add(one)
                queue += edges.get(one, ())
        return frozenset(found - {start})

    def _join(self) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
        """Give every concept its head: one-to-one identifiers only, explicit ones first."""
        ordered = sorted(self.concepts.values(), key=lambda c: self._rank[c.source])
        owners = _identifier_owners(c for c in ordered if self._rank[c.source] == 0)
        head: dict[str, str] = {}
        for concept in ordered:
            matches = {owners[i] for i in (concept.concept_id,) if i in owners}
            if not matches and self._rank[concept.source] > 0:
                matches = {owners[i] for i in concept.xrefs if i in owners}
            is_one_to_one = len(matches) == 1 and self._rank[concept.source] > 0
            head[concept.concept_id] = next(iter(matches)) if is_one_to_one else concept.concept_id
            if self._rank[concept.source] > 0 and not is_one_to_one:
                _own_identifiers(concept, owners)
        members: dict[str, list[str]] = {}
        for concept in ordered:
            members.setdefault(head[concept.concept_id], []).append(concept.concept_id)
        return head, {key: tuple(ids) for key, ids in members.items()}

    def _draw_edges(self) -> None:
        first = min(self._rank, key=self._rank.__getitem__, default="")
        for concept in sorted(self.concepts.values(), key=lambda c: self._rank[c.source]):
            child = self._head[concept.concept_id]
            is_own = concept.source == first
            for parent_id in concept.parents:
                if parent_id not in self.concepts:
                    if is_own:
                        msg = f"{concept.concept_id}: parent {parent_id!r} does not exist"
                        raise KnowledgeError(msg)
                    continue
                self._draw_edge(child, self._head[parent_id], first, is_own=is_own)

    def _draw_edge(self, child: str, parent: str, first: str, *, is_own: bool) -> None:
        both_own = all(self.concepts[c].source == first for c in (child, parent))
        if child == parent or (both_own and not is_own):
            return
        if child in self._reach(parent, self._parents):
            if is_own:
                msg = f"is-a cycle: {child!r} is above and below {parent!r}"
                raise KnowledgeError(msg)
            return
        self._parents[child].add(parent)
        self._children[parent].add(child)

    def _index_names(self) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        names: dict[str, dict[str, None]] = defaultdict(dict)
        keys: dict[str, dict[str, None]] = defaultdict(dict)
        for concept in sorted(self.concepts.values(), key=lambda c: self._rank[c.source]):
            head = self._head[concept.concept_id]
            for name in concept.names:
                if normalized := normalize_name(name):
                    names[normalized][head] = None
                    names[expand_acronyms(normalized)][head] = None
                    keys[word_key(name)][head] = None
        prefer = self._prefer_first_source
        return {k: prefer(v) for k, v in names.items()}, {k: prefer(v) for k, v in keys.items()}

    def _prefer_first_source(self, heads: Iterable[str]) -> tuple[str, ...]:
        """Heads of the best source alone: others cannot make our own name ambiguous."""
        ranked = {h: self._rank[self.concepts[h].source] for h in heads}
        best = min(ranked.values())
        return tuple(h for h, rank in ranked.items() if rank == best)

    def _index_contradictions(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for concept in self.concepts.values():
            for other in concept.contradicts:
                if other not in self.concepts:
                    msg = f"{concept.concept_id}: contradicts {other!r}, which does not exist"
                    raise KnowledgeError(msg)
                one, two = self._head[concept.concept_id], self._head[other]
                found[one].add(two)
                found[two].add(one)
        return found


@cache
def load_knowledge_base(
    sources: tuple[str, ...] = DEFAULT_SOURCES, own: UserSources = NO_USER_SOURCES
) -> KnowledgeBase:
    """Return the knowledge base of the packaged sources and the user's own; loaded once.

    Args:
        sources: Keys of packaged sources; the first takes precedence.
        own: Where the user's own terminologies are.

    Raises:
        KnowledgeError: A source is unknown, not installed, or not where it should be.
    """
    unknown = [s for s in sources if s not in _LOADERS]
    if unknown:
        msg = f"unknown knowledge source {unknown[0]!r}, expected one of {', '.join(_LOADERS)}"
        raise KnowledgeError(msg)
    packaged = [_LOADERS[s]() for s in sources]
    return KnowledgeBase([*packaged, *own.load(packaged[0].concepts)])


def _by_key(sources: Iterable[Source]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for source in sources:
        if source.key in found:
            msg = f"knowledge source {source.key!r} is given twice"
            raise KnowledgeError(msg)
        found[source.key] = source
    return found


def _by_id(concepts: Iterable[Concept]) -> dict[str, Concept]:
    found: dict[str, Concept] = {}
    for concept in concepts:
        if concept.concept_id in found:
            msg = f"concept {concept.concept_id!r} is given twice"
            raise KnowledgeError(msg)
        found[concept.concept_id] = concept
    return found


def _identifier_owners(concepts: Iterable[Concept]) -> dict[str, str]:
    claims: dict[str, list[str]] = defaultdict(list)
    for concept in concepts:
        for identifier in {concept.concept_id, *concept.xrefs} - _BROAD_IDENTIFIERS:
            claims[identifier].append(concept.concept_id)
    return {identifier: owners[0] for identifier, owners in claims.items() if len(owners) == 1}


def _own_identifiers(concept: Concept, owners: dict[str, str]) -> None:
    for identifier in (concept.concept_id, *concept.xrefs):
        if identifier not in _BROAD_IDENTIFIERS:
            owners.setdefault(identifier, concept.concept_id)


def _hash_content(sources: Mapping[str, Source], concepts: Mapping[str, Concept]) -> str:
    content = [
        [dataclasses.asdict(s) for s in sources.values()],
        [dataclasses.asdict(concepts[key]) for key in sorted(concepts)],
    ]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
