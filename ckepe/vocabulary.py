"""Which words the sources know: what is left over of a phrase says something unproven."""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from ckepe.modifiers import QUALIFIERS
from ckepe.phrases import features, without_leads, without_quantities
from knowledge_sources.knowledge_base import KnowledgeBase
from knowledge_sources.naming import expand_acronyms, normalize_name
from knowledge_sources.translation import lay_words, say_in_terms

_SHORTEST_TYPO: Final = 6
_TYPO: Final = 0.84
_PLAIN_LINES: Final = (
    "visible identifiable discernible recognizable seen noted contiguous adjacent",
    "consecutive neighbouring characteristic appearance looking resembling like shaped",
    "resulting caused often usually sometimes mostly mainly about approximately roughly",
    "around least most more less each every any all some both either same other than very",
    "only also because during after before between within from into over under above",
    "below exceeding greater longer shorter wider narrower taller deeper higher lower",
    "larger smaller equal square box beat minute second millimeter millivolt adult",
    "patient male female men women years person",
    "totally completely entirely markedly slightly clearly rather mildly moderately severely",
    "significantly somewhat always occasionally throughout fitting fit matching meeting typical",
    "shape form appearance waveform cyclic undulation onset beginning end",
    "the and for with are was were but not too has have been that this these those then when",
    "where which who its their there but otherwise make makes making look looks shows showing",
    "slower faster earlier later them neither nor part portion component following preceding",
    "get gets getting come comes coming given goes going seem seems",
)
PLAIN_WORDS: Final = frozenset(
    normalize_name(word) for line in _PLAIN_LINES for word in line.split()
)
"""Plain words that need no source."""


class Vocabulary:
    """The words of a knowledge base.

    Args:
        knowledge_base: Whose words count.
    """

    def __init__(self, knowledge_base: KnowledgeBase) -> None:
        self._knowledge_base = knowledge_base
        self._of_head: dict[str, frozenset[str]] = {}

    def strange_words(self, phrase: str) -> list[str]:
        """Return the words that no source uses and that do not merely qualify."""
        return [w for w in _content_words(phrase) if w not in self._words]

    def strangeness(self, query: str, head: str) -> tuple[float, float]:
        """Return the shares of a query's content words that the sources, and a concept, lack.

        The best reading counts: as it is written, or in English terms. Misspelled words count as
        those that they resemble.
        """
        of_head = self._words_of(head)
        shares = []
        for text in (query, *say_in_terms(query)):
            words = _content_words(text)
            n_words = max(1, len(words))
            n_foreign = sum(not _knows(of_head, w) for w in words)
            n_unknown = sum(not _knows(self._plain_and_lay, w) for w in words)
            shares.append((n_foreign / n_words, n_unknown / n_words))
        foreign, unknown = min(shares)
        return unknown, foreign

    def _words_of(self, head: str) -> frozenset[str]:
        """All words of a cluster, in its names, criteria and definitions."""
        if head not in self._of_head:
            knowledge = self._knowledge_base
            self._of_head[head] = _words_in(
                text
                for member in map(knowledge.get, knowledge.cluster(head))
                for text in (
                    *member.names,
                    *(c.text for c in member.criteria),
                    member.definition or "",
                )
            )
        return self._of_head[head]

    @cached_property
    def _words(self) -> frozenset[str]:
        """Words of names and criteria; those of definitions may speak of anything."""
        concepts = self._knowledge_base.concepts.values()
        of_names = _words_in(name for c in concepts for name in c.names)
        of_criteria = _words_in(criterion.text for c in concepts for criterion in c.criteria)
        of_features = _words_in(name for f in features().values() for name in f.names)
        return PLAIN_WORDS | of_names | of_criteria | of_features

    @cached_property
    def _plain_and_lay(self) -> frozenset[str]:
        return self._words | lay_words()


def _content_words(text: str) -> list[str]:
    plain = without_quantities(without_leads(text))
    words = expand_acronyms(normalize_name(plain)).split()
    spoken = (w for w in words if len(w) > 2 and re.fullmatch(r"[^\W\d_]+", w))
    return [w for w in spoken if w not in QUALIFIERS and w not in PLAIN_WORDS]


def _words_in(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(w for text in texts for w in expand_acronyms(normalize_name(text)).split())


def _knows(words: frozenset[str], word: str) -> bool:
    if word in words or len(word) < _SHORTEST_TYPO:
        return word in words
    similar = process.extractOne(
        word, words, scorer=DamerauLevenshtein.normalized_similarity, score_cutoff=_TYPO
    )
    return similar is not None
