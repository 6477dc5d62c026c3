"""Hybrid retrieval: names first, then spelling, words and meaning, fused into one score."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import bm25s
import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler

from ckepe.axes import numerals, opposing_axis, poles
from ckepe.criteria import Fit, fit_mention, read_clauses
from ckepe.index import DenseIndex
from ckepe.phrases import spell_out
from ckepe.resolution import Resolver
from ckepe.vocabulary import Vocabulary
from knowledge_sources.concept import Criterion
from knowledge_sources.errors import KnowledgeError
from knowledge_sources.knowledge_base import KnowledgeBase
from knowledge_sources.label_sets import find_label, label_sets
from knowledge_sources.naming import expand_acronyms, normalize_name, word_key
from knowledge_sources.translation import say_in_terms

GROUNDING_THRESHOLD: Final = 0.50
"""A best score below this means that no source knows the query; calibrated in `benchmarks`."""
_UNKNOWN: Final = 0.1
"""What it costs a likeness, at most, that no source knows the query's words."""
_FOREIGN: Final = 0.2
"""What it costs a likeness, at most, that the concept found does not have them."""
_CRITERIA_WEIGHT: Final = 0.4
_MANY_SIGNS: Final = 3
_MANY_CRITERIA_WEIGHT: Final = 0.55
"""Of a query that names many signs, what they say weighs more than how it is worded."""
_TRANSLATED: Final = 0.97
"""What likeness to a translation is worth against likeness to the query's own words."""
_HARDLY_MORE: Final = 0.02
_UNSAID: Final = 0.01
"""What each pole of the query (left, acute, inferior) costs that the found name leaves out."""
_AGAINST: Final = 0.06
"""What each sign costs that speaks against a concept."""
_POOL: Final = 60
_DENSE_POOL: Final = 200
"""Wide, so that a concept whose criteria fit is not without the meaning of its texts."""
_SHORTEST_FUZZY: Final = 5
_SAME_SPELLING: Final = 86.0
_SAME_WORD: Final = 0.7
_ACRONYM: Final = 3
_NUMBERED: Final = re.compile(r"\d")
"""A lead or a number: `V1` is no misspelling of `V5`."""
_STRONG: Final = 0.8
"""Likeness above this is compressed, so that it stays below a name's."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A concept found for a query."""

    concept_id: str
    canonical_name: str
    source: str
    score: float
    """1 for a name of the concept itself, below for likeness; comparable between queries."""
    matched: str
    """The name or sentence that was met."""
    xrefs: tuple[str, ...]


@dataclass(slots=True)
class _Signals:
    spelling: float = 0.0
    words: float = 0.0
    meaning: float = 0.0
    criteria: float = 0.0
    """What the signs that the query describes add."""
    n_opposed: int = 0
    """Signs of the query that speak against the concept."""
    spelled: str = ""
    meant: str = ""


class HybridRetriever:
    """Finds concepts for a query in any wording.

    Args:
        knowledge_base: Where concepts and names come from.
        index: The dense index over the same knowledge base.
    """

    def __init__(self, knowledge_base: KnowledgeBase, index: DenseIndex) -> None:
        self.knowledge_base = knowledge_base
        self._index = index
        self._resolver = Resolver(knowledge_base)
        self._vocabulary = Vocabulary(knowledge_base)

    def search(
        self,
        query: str,
        top_k: int = 10,
        label_set: str | None = None,
        *,
        nearest: bool = False,
    ) -> list[Hit]:
        """Return the concepts that a query may mean, best first; none where no source knows it.

        Args:
            query: A name, acronym or description in any wording, or an identifier
                (`SNOMED:164889003`); `set:code` is a label.
            top_k: At most so many.
            label_set: Its codes are tried first: `AF` in `csn` is atrial flutter.
            nearest: Also of a query that no source knows return the nearest concepts.

        Raises:
            KnowledgeError: The label set, or its code, does not exist.
        """
        hits = self._search(query, top_k, label_set)
        is_known = bool(hits) and hits[0].score >= GROUNDING_THRESHOLD
        return hits if is_known or nearest else []

    def _search(self, query: str, top_k: int, label_set: str | None) -> list[Hit]:
        scored = {h: (1.0 - i * 1e-3, query) for i, h in enumerate(self._named(query, label_set))}
        if not scored:
            scored = self._resolved(query)
        if len(scored) < top_k:
            for head, (score, matched) in self._likened(query).items():
                scored.setdefault(head, (score, matched))
        ranked = sorted(scored.items(), key=lambda item: (-item[1][0], self._depth(item[0])))
        return [self._to_hit(head, score, matched) for head, (score, matched) in ranked[:top_k]]

    def _depth(self, head: str) -> tuple[int, str]:
        """Of two that fit equally, the more general comes first."""
        return len(self.knowledge_base.ancestors(head)), head

    def ground(self, query: str, label_set: str | None = None) -> Hit | None:
        """Return the concept that the query means, or None where no source knows it."""
        return next(iter(self.search(query, 2, label_set)), None)

    def fits(self, text: str) -> bool:
        """Return whether a text is within the encoder's token limit."""
        return self._index.fits(text)

    def check(self) -> None:
        """Ask the index for a sign of life.

        Raises:
            IndexUnavailableError: It gives none.
        """
        self._index.check()

    def find_near(self, text: str) -> list[tuple[str, float]]:
        """Return the knowledge's texts nearest in meaning, with cosines, best first."""
        return [(hit.text, hit.score) for hit in self._index.search([text], _POOL)[0]]

    def _resolved(self, query: str) -> dict[str, tuple[float, str]]:
        """Concepts whose name the query is: qualified, misspelled or in another language."""
        found = self._resolver.resolve(query)
        if found is None:
            return {}
        heads = self._rank_named(found.matched, found.heads)
        return {h: (found.score - i * 1e-3, found.matched) for i, h in enumerate(heads)}

    def _likened(self, query: str) -> dict[str, tuple[float, str]]:
        """The best likeness of each concept to the query as it is, or in English terms."""
        best: dict[str, tuple[float, str]] = {}
        said_in_terms = ((text, _TRANSLATED) for text in say_in_terms(query))
        for text, worth in ((spell_out(query), 1.0), *said_in_terms):
            for head, score, matched in self._similar(text):
                said = f"{matched} {self.knowledge_base.concepts[head].canonical_name}"
                score = worth * score - _UNSAID * len(poles(text) - poles(said))
                if score > best.get(head, (0.0, ""))[0]:
                    best[head] = (score, matched)
        return self._doubt(query, self._prefer_general(best))

    def _doubt(
        self, query: str, scored: dict[str, tuple[float, str]]
    ) -> dict[str, tuple[float, str]]:
        """Lower all scores alike by what of the query is strange to the concept found first.

        `escape room` has a word in common with `escape beat`, no more.
        """
        if not scored:
            return scored
        first = max(scored, key=lambda head: scored[head][0])
        unknown, foreign = self._vocabulary.strangeness(query, first)
        worth = 1.0 - _UNKNOWN * unknown - _FOREIGN * foreign
        return {head: (worth * score, matched) for head, (score, matched) in scored.items()}

    def _prefer_general(self, scored: dict[str, tuple[float, str]]) -> dict[str, tuple[float, str]]:
        """Put a concept before its kinds where they are hardly more like the query than it is."""
        lifted = dict(scored)
        for head, (score, _) in scored.items():
            margin = _HARDLY_MORE if score < _STRONG else 0.2 * _HARDLY_MORE
            for above in self.knowledge_base.parents(head):
                if self.knowledge_base.concepts[above].kind == "group":
                    continue
                if above in scored and score - margin < scored[above][0] < score:
                    kept, matched = lifted[above]
                    lifted[above] = (max(kept, score + 1e-4), matched)
        return lifted

    def _named(self, query: str, label_set: str | None) -> list[str]:
        label = find_label(query)
        if label is None and label_set is not None:
            if label_set not in label_sets():
                msg = f"unknown label set {label_set!r}, expected one of {', '.join(label_sets())}"
                raise KnowledgeError(msg)
            codes = {lab.code.casefold(): lab for lab in label_sets()[label_set].labels}
            label = codes.get(query.strip().casefold())
        if label is not None:
            return [self.knowledge_base.head(c) for c in label.concept_ids]
        identified = self.knowledge_base.by_identifier(query)
        return identified or self._rank_named(query, self.knowledge_base.by_alias(query))

    def _rank_named(self, query: str, heads: Sequence[str]) -> list[str]:
        """Of several concepts with the name, the one that is called so first of all comes first."""
        name = normalize_name(query)

        def place(head: str) -> tuple[int, int]:
            names = [normalize_name(n) for n in self.knowledge_base.concepts[head].names]
            return (names.index(name) if name in names else len(names), len(names))

        return sorted(heads, key=place)

    def _similar(self, query: str) -> list[tuple[str, float, str]]:
        signals: dict[str, _Signals] = defaultdict(_Signals)
        self._add_spelling(query, signals)
        self._add_words(query, signals)
        self._add_meaning(query, signals)
        self._add_criteria(query, signals)
        return [
            (head, _fuse(s, query), s.spelled if s.spelling >= s.meaning else s.meant or s.spelled)
            for head, s in signals.items()
        ]

    def _add_spelling(self, query: str, signals: dict[str, _Signals]) -> None:
        name = expand_acronyms(normalize_name(query))
        if len(name) < _SHORTEST_FUZZY:
            return
        key = word_key(query)
        for text, choices in ((name, self._names), (key, self._keys)):
            for match, score, _ in process.extract(
                text, choices.keys(), scorer=fuzz.ratio, limit=_POOL
            ):
                for head in choices[match]:
                    likeness = _spelling_score(text, match, score)
                    if likeness > signals[head].spelling:
                        signals[head].spelling, signals[head].spelled = likeness, match

    @cached_property
    def _names(self) -> dict[str, tuple[str, ...]]:
        names = self.knowledge_base.names()
        return {n: heads for n, heads in names.items() if len(n) >= _SHORTEST_FUZZY}

    @cached_property
    def _keys(self) -> dict[str, tuple[str, ...]]:
        keys: dict[str, dict[str, None]] = defaultdict(dict)
        for name, heads in self._names.items():
            keys[word_key(name)].update(dict.fromkeys(heads))
        return {key: tuple(heads) for key, heads in keys.items() if len(key) >= _SHORTEST_FUZZY}

    def _add_words(self, query: str, signals: dict[str, _Signals]) -> None:
        tokens = expand_acronyms(normalize_name(query)).split()
        known = [t for t in tokens if t in self._lexical.vocab_dict]
        if not known:
            return
        scores = self._lexical.get_scores(known)
        ceiling = float(sum(self._idf.get(t, self._rarest) for t in tokens)) or 1.0
        for row in np.argsort(-scores)[:_POOL]:
            if scores[row] > 0:
                signals[self._rows[row]].words = min(1.0, float(scores[row]) / ceiling)

    @cached_property
    def _rows(self) -> tuple[str, ...]:
        return self.knowledge_base.heads()

    @cached_property
    def _corpus(self) -> list[list[str]]:
        knowledge = self.knowledge_base
        texts: list[str] = []
        for head in self._rows:
            members = [knowledge.get(m) for m in knowledge.cluster(head)]
            said = [n for c in members for n in c.names]
            said += [c.definition for c in members if c.definition]
            said += [criterion.text for c in members for criterion in c.criteria]
            texts.append(" ".join(said))
        return [expand_acronyms(normalize_name(text)).split() for text in texts]

    @cached_property
    def _lexical(self) -> bm25s.BM25:
        index = bm25s.BM25(method="lucene", k1=1.2, b=0.5)
        index.index(self._corpus, show_progress=False)
        return index

    @cached_property
    def _idf(self) -> dict[str, float]:
        """The most that one word can add to a score, by word."""
        n_documents = len(self._corpus)
        holding: dict[str, int] = defaultdict(int)
        for words in self._corpus:
            for word in set(words):
                holding[word] += 1
        return {
            w: float(np.log(1 + (n_documents - n + 0.5) / (n + 0.5))) for w, n in holding.items()
        }

    @cached_property
    def _rarest(self) -> float:
        return max(self._idf.values())

    def _add_meaning(self, query: str, signals: dict[str, _Signals]) -> None:
        for hit in self._index.search([query], _DENSE_POOL)[0]:
            if hit.score > signals[hit.concept_id].meaning:
                signals[hit.concept_id].meaning = hit.score
                signals[hit.concept_id].meant = hit.text

    def _add_criteria(self, query: str, signals: dict[str, _Signals]) -> None:
        """How much of what the query describes a concept's criteria demand; rare signs count more.

        Only for descriptions: a query that names at least two features, or one with leads.
        """
        claims = read_clauses(query)
        mentions = [(m, claim) for claim in claims for m in claim.mentions]
        n_signs = len({m.feature for m, _ in mentions})
        if n_signs + any(c.leads for c in claims) + any(c.spans for c in claims) < 2:
            return
        met: dict[str, dict[str, float]] = defaultdict(dict)
        for mention, claim in mentions:
            weight = self._rarity.get(mention.feature, 1.0)
            for head, criterion in self._criteria:
                fit = fit_mention(mention, claim, criterion)
                if fit is Fit.MET:
                    kept = met[head].get(mention.feature, 0.0)
                    met[head][mention.feature] = max(kept, weight)
                elif fit is Fit.OPPOSED:
                    met[head].setdefault(mention.feature, -0.5 * weight)
        worth = _CRITERIA_WEIGHT if n_signs < _MANY_SIGNS else _MANY_CRITERIA_WEIGHT
        total = sum(self._rarity.get(f, 1.0) for f in {m.feature for m, _ in mentions})
        for head, weights in met.items():
            signals[head].criteria = worth * max(0.0, sum(weights.values())) / total
            signals[head].n_opposed = sum(w < 0 for w in weights.values())

    @cached_property
    def _criteria(self) -> tuple[tuple[str, Criterion], ...]:
        knowledge = self.knowledge_base
        return tuple(
            (head, criterion)
            for head in knowledge.heads()
            for member in knowledge.cluster(head)
            for criterion in knowledge.get(member).criteria
        )

    @cached_property
    def _rarity(self) -> dict[str, float]:
        """Weight of a feature: the fewer concepts name it, the more it says."""
        holders: dict[str, set[str]] = defaultdict(set)
        for head, criterion in self._criteria:
            holders[criterion.feature].add(head)
        return {f: float(1.0 / np.log2(1.0 + len(heads))) for f, heads in holders.items()}

    def _to_hit(self, head: str, score: float, matched: str) -> Hit:
        concept = self.knowledge_base.get(head)
        xrefs = self.knowledge_base.cluster_xrefs(head)
        name, source = concept.canonical_name, concept.source
        return Hit(head, name, source, round(score, 4), matched, xrefs)


def _spelling_score(query: str, match: str, ratio: float) -> float:
    """Likeness of spelling from 0 to 1; names that differ in an opposing word are not alike."""
    is_alike = opposing_axis(query, match) is None and numerals(query) == numerals(match)
    is_alike = is_alike and _words_alike(query, match)
    if ratio >= _SAME_SPELLING and is_alike:
        return ratio / 100
    return ratio / 100 * 0.6


def _words_alike(one: str, other: str) -> bool:
    """Whether two names have as many words, but for one, and of as many none is another word.

    `renal infarction` is spelled much like `lateral infarction`, and is no misspelling of it.
    """
    words, others = one.split(), other.split()
    if len(words) != len(others):
        return abs(len(words) - len(others)) == 1
    return all(
        w == o or (not _NUMBERED.search(w + o) and _is_like(w, o))
        for w, o in zip(words, others, strict=True)
    )


def _is_like(word: str, other: str) -> bool:
    is_acronym = max(len(word), len(other)) <= _ACRONYM
    return is_acronym or JaroWinkler.similarity(word, other) >= _SAME_WORD


def _fuse(signals: _Signals, query: str) -> float:
    """One score from four: a near-identical spelling decides alone, else they add up.

    Spelling scores lie between 0.9 and 0.99, all others below 0.9, names at 1.
    """
    least = _SAME_SPELLING / 100
    if signals.spelling >= least:
        return 0.9 + 0.09 * (signals.spelling - least) / (1 - least)
    fused = 0.5 * signals.meaning + 0.3 * signals.words + 0.2 * signals.spelling / 0.6
    fused += signals.criteria
    text = signals.meant or signals.spelled
    if text and opposing_axis(query, text) is not None:
        fused *= 0.9
    strong = fused if fused <= _STRONG else _STRONG + 0.1 * math.tanh(fused - _STRONG)
    return strong - _AGAINST * signals.n_opposed
