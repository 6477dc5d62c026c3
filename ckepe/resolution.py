"""Which concept a phrase names, if it names one: by name, by spelling, or as a qualified name."""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from ckepe.axes import opposing_axis, same_poles
from ckepe.modifiers import are_qualifiers
from knowledge_sources.knowledge_base import KnowledgeBase
from knowledge_sources.naming import expand_acronyms, normalize_name, word_key
from knowledge_sources.translation import say_in_terms

_TYPO: Final = 0.88
_SHORTEST_TYPO: Final = 8
_SAID: Final = 0.94
"""How sure a name is that was said in other words than the sources'."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The concepts that a phrase may name, and the name that was met."""

    heads: tuple[str, ...]
    matched: str
    score: float
    """1 is the name itself; less for a typing error or a qualified name."""
    is_qualified: bool = False
    """Whether the phrase says more than the name: `acute inferior infarction`."""


class Resolver:
    """Finds the concept that a phrase names.

    Args:
        knowledge_base: Whose names count.
    """

    def __init__(self, knowledge_base: KnowledgeBase) -> None:
        self._knowledge_base = knowledge_base

    def resolve(self, phrase: str) -> Resolution | None:
        """Return the concepts of the phrase's name; None if it is no name, however qualified."""
        heads = self._knowledge_base.by_alias(phrase)
        if heads:
            return Resolution(tuple(heads), phrase, 1.0)
        readings = (self._misspelled(phrase), self._qualified(phrase), self._translated(phrase))
        return max((r for r in readings if r), key=lambda r: r.score, default=None)

    def _translated(self, phrase: str) -> Resolution | None:
        """A German, Spanish or lay name by what it says in English terms."""
        for said in say_in_terms(phrase):
            heads = self._knowledge_base.by_alias(said)
            found = Resolution(tuple(heads), said, _SAID) if heads else self._qualified(said)
            if found is not None:
                return replace(found, score=min(found.score, _SAID))
        return None

    def _misspelled(self, phrase: str) -> Resolution | None:
        name = expand_acronyms(normalize_name(phrase))
        if len(name) < _SHORTEST_TYPO:
            return None
        for match, score, _ in process.extract(
            name,
            self._long_names.keys(),
            scorer=DamerauLevenshtein.normalized_similarity,
            limit=5,
            score_cutoff=_TYPO,
        ):
            if same_poles(name, match) and _same_numbers(name, match) and _same_length(name, match):
                return Resolution(self._long_names[match], match, float(score))
        return None

    @cached_property
    def _long_names(self) -> dict[str, tuple[str, ...]]:
        names = self._knowledge_base.names()
        return {n: heads for n, heads in names.items() if len(n) >= _SHORTEST_TYPO}

    def _qualified(self, phrase: str) -> Resolution | None:
        """The longest name whose words are all in the phrase, if the rest only qualifies it."""
        words = frozenset(word_key(phrase).split())
        candidates = {key for word in words for key in self._keys_by_word.get(word, ())}
        fitting = [k for k in candidates if frozenset(k.split()) <= words]
        for key in sorted(fitting, key=lambda k: (-len(k.split()), k)):
            rest = words - frozenset(key.split())
            heads = self._knowledge_base.by_alias(key)
            same = tuple(
                h for h in heads if rest <= self._words_of(h) and not self._opposes(phrase, h)
            )
            if same:
                return Resolution(same, key, 0.95)
            kept = tuple(
                h for h in heads if are_qualifiers(rest, self._knowledge_base.concepts[h].kind)
            )
            if kept:
                return Resolution(kept, key, 0.9, is_qualified=True)
        return None

    def _opposes(self, phrase: str, head: str) -> bool:
        return opposing_axis(phrase, self._knowledge_base.concepts[head].canonical_name) is not None

    def _words_of(self, head: str) -> frozenset[str]:
        """All words of a concept's own names, numbers left out: they tell kinds apart."""
        names = self._knowledge_base.concepts[head].names
        words = {w for name in names for w in word_key(name).split()}
        return frozenset(w for w in words if len(w) > 3 and w.isalpha())

    @cached_property
    def _keys_by_word(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for key in {word_key(name) for name in self._knowledge_base.names() if len(name) > 1}:
            for word in set(key.split()):
                found[word].append(key)
        return found


def _same_numbers(one: str, other: str) -> bool:
    def tokens(text: str) -> list[str]:
        return [w for w in text.split() if any(c.isdigit() for c in w) or len(w) <= 3]

    return tokens(one) == tokens(other)


def _same_length(one: str, other: str) -> bool:
    return abs(len(one.split()) - len(other.split())) <= 1
