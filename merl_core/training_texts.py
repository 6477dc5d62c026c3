"""Texts for every concept: names, definitions, criteria, and mixtures as prompts have them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge_sources.concept import AliasKind, Concept
from knowledge_sources.label_sets import label_sets
from merl_core.targets import Vocabulary

_SEPARATORS = (", ", "; ", ", ", ". ", ": ")
_MAX_WORDS = 60


@dataclass(frozen=True, eq=False, slots=True)
class TextPool:
    """Training texts with the concept that each speaks of."""

    texts: tuple[str, ...]
    columns: NDArray[np.int64]
    """Shape (M,): the concept's column in the vocabulary."""
    is_bare: NDArray[np.bool_]
    """Shape (M,): whether a text is one name and nothing more."""

    def rows_by_column(self, n_columns: int) -> list[NDArray[np.int64]]:
        """Return the positions of each concept's texts."""
        return [np.flatnonzero(self.columns == c) for c in range(n_columns)]


def compose_texts(
    vocabulary: Vocabulary, *, n_composed: int = 6, seed: int = 0, held_out: float = 0.0
) -> TextPool:
    """Return the training texts of a vocabulary.

    Args:
        vocabulary: The concepts.
        n_composed: Mixtures of name, sub-types and criteria for each concept.
        seed: Of the mixtures.
        held_out: Share of aliases and of definitions left out, chosen by hash, to test wording
            never trained on.
    """
    rng = np.random.default_rng(seed)
    children = _children(vocabulary)
    meanings = _benchmark_meanings(vocabulary)
    texts: list[str] = []
    columns: list[int] = []
    bare: list[bool] = []
    for local, column in vocabulary.index.items():
        concept = vocabulary.concepts[column]
        names = _kept([*_names(concept), *meanings.get(local, ())], held_out)
        composed = _compose(concept, names, children[local], n_composed, held_out, rng)
        texts += [*names, *composed]
        columns += [column] * (len(names) + len(composed))
        bare += [True] * len(names) + [False] * len(composed)
    return TextPool(tuple(texts), np.array(columns), np.array(bare))


def held_out_names(vocabulary: Vocabulary, share: float) -> list[tuple[str, int]]:
    """Return the aliases that `compose_texts` leaves out, with their columns."""
    out = []
    for column, concept in enumerate(vocabulary.concepts):
        names = _names(concept)
        kept = set(_kept(names, share))
        out += [(name, column) for name in names if name not in kept]
    return out


def held_out_definitions(vocabulary: Vocabulary, share: float) -> list[tuple[str, int]]:
    """Return the definitions that `compose_texts` leaves out, with their columns."""
    return [
        (concept.definition, column)
        for column, concept in enumerate(vocabulary.concepts)
        if concept.definition and _hash_share(concept.definition) < share
    ]


def _names(concept: Concept) -> list[str]:
    """The canonical name first; acronyms of two letters are left out, they mean too much."""
    names = [concept.canonical_name]
    names += [
        alias.text
        for alias in concept.aliases
        if alias.kind is not AliasKind.ACRONYM or len(alias.text) > 2
    ]
    return list(dict.fromkeys(names))


def _kept(names: Sequence[str], held_out: float) -> list[str]:
    first, *others = names
    return [first, *(n for n in others if _hash_share(n) >= held_out)]


def _hash_share(text: str) -> float:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


def _children(vocabulary: Vocabulary) -> dict[str, list[Concept]]:
    found: dict[str, list[Concept]] = {local: [] for local in vocabulary.index}
    for local, above in vocabulary.ancestors.items():
        for one in above:
            found[one].append(vocabulary.concepts[vocabulary.index[local]])
    return found


def _benchmark_meanings(vocabulary: Vocabulary) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in label_sets().values():
        for label in one.labels:
            for concept_id in label.concept_ids:
                local = concept_id.partition(":")[2]
                if local in vocabulary.index:
                    found.setdefault(local, []).append(label.meaning)
    return found


def _compose(
    concept: Concept,
    names: Sequence[str],
    below: Sequence[Concept],
    n_composed: int,
    held_out: float,
    rng: np.random.Generator,
) -> list[str]:
    """Return the definition, criteria with their name, and random mixtures."""
    name = concept.canonical_name
    criteria = [c.text for c in concept.criteria]
    definition = concept.definition or ""
    if _hash_share(definition) < held_out:
        definition = ""
    fixed = [definition] if definition else []
    fixed += [f"{name}, {text}" for text in criteria]
    if len(criteria) > 1:
        fixed.append(", ".join(criteria))
    mixed = [_mix(concept, names, below, criteria, definition, rng) for _ in range(n_composed)]
    return list(dict.fromkeys([*fixed, *mixed]))


def _mix(
    concept: Concept,
    names: Sequence[str],
    below: Sequence[Concept],
    criteria: Sequence[str],
    definition: str,
    rng: np.random.Generator,
) -> str:
    english = [a.text for a in concept.aliases if a.lang == "en" and a.kind is AliasKind.SYNONYM]
    first = concept.canonical_name if rng.random() < 0.6 else str(rng.choice(list(names)))
    phrases = [first]
    phrases += _some(english, 0.4, 3, rng)
    phrases += _some([c.canonical_name for c in below], 0.7, 6, rng)
    phrases += _some(criteria, 0.8, 6, rng)
    if definition and rng.random() < 0.2:
        phrases.append(definition.rstrip("."))
    text = str(rng.choice(_SEPARATORS)).join(_within(list(dict.fromkeys(phrases))))
    return _restyle(text, rng)


def _some(items: Sequence[str], chance: float, at_most: int, rng: np.random.Generator) -> list[str]:
    if not items or rng.random() > chance:
        return []
    n = int(rng.integers(1, min(at_most, len(items)) + 1))
    return [items[int(i)] for i in rng.permutation(len(items))[:n]]


def _within(phrases: Sequence[str]) -> list[str]:
    kept: list[str] = []
    n_words = 0
    for phrase in phrases:
        n_words += len(phrase.split())
        if kept and n_words > _MAX_WORDS:
            break
        kept.append(phrase)
    return kept


def _restyle(text: str, rng: np.random.Generator) -> str:
    style = rng.random()
    if style < 0.1:
        return f"The ECG shows {text}."
    if style < 0.15:
        return f"12-lead electrocardiogram with {text}"
    return text
