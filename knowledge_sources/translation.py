"""Names in lay, German and Spanish words, said again in the English terms of the sources.

The table has the common names of each concept in three languages. This says the others in
English, word by word and compound by compound (`Linksvorhofbelastung` is left atrial overload), so
that they can be found by spelling, words and meaning.
"""

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from knowledge_sources.ecg_statements import load_ecg_statements
from knowledge_sources.naming import normalize_name

_DATA: Final = Path(__file__).parent / "data" / "lexicon.yaml"
_ENDINGS: Final = ("", "e", "en", "er", "es", "em", "n", "s", "ene", "ener", "enes")
_LINKS: Final = ("", "s", "n", "en", "e", "es")
_SHORTEST_PART: Final = 3
_BETWEEN_PHRASES: Final = re.compile(r"([,;|\n]\s*|(?<![\dIVXivx])\.\s+)")
"""Kept by the split; a full stop after a number belongs to its grade."""
_ROMAN_GRADE: Final = re.compile(r"\b(iii|ii|i|[123])\s*(?:\.|°)?\s*grad(?:es)?\b")
_GRADES: Final = {"i": "first", "ii": "second", "iii": "third", "1": "first", "2": "second",
                  "3": "third"}  # fmt: skip


@cache
def _lexicon() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    content["lay"] = [(re.compile(rf"\b{said}\b"), term) for said, term in content["lay"]]
    content["de"].update({normalize_name(k): v for k, v in content["de"].items()})
    return content


@lru_cache(maxsize=16384)
def say_in_terms(text: str) -> tuple[str, ...]:
    """Return what a text says in English terms, one reading a language; empty if it has none."""
    name = normalize_name(text)
    readings = (_from_lay(name), _from_german(text), _from_spanish(name))
    return tuple(dict.fromkeys(r for r in readings if r and r != name))


def say_german_in_english(text: str) -> str:
    """Return a text whose German phrases are said in English terms, the others as they are.

    A phrase is German if a word of it is, and no word of our English names and definitions.
    """
    return "".join(
        _from_german(part) or part if _is_german(part) else part
        for part in _BETWEEN_PHRASES.split(text)
    )


def _is_german(phrase: str) -> bool:
    for word in normalize_name(phrase).split():
        term = _german_word(word)
        is_other = term is not None and term.rstrip("s") != word.rstrip("s")
        if is_other and word not in _english_words():  # last: few texts need that table
            return True
    return False


@cache
def _english_words() -> frozenset[str]:
    texts = (f"{c.canonical_name} {c.definition}" for c in load_ecg_statements().concepts)
    return frozenset(word for text in texts for word in normalize_name(text).split())


@cache
def lay_words() -> frozenset[str]:
    """Return the words of the lay expressions that are known."""
    patterns = (pattern.pattern for pattern, _ in _lexicon()["lay"])
    return frozenset(word for p in patterns for word in re.findall(r"[a-z]{3,}", p))


def _from_lay(name: str) -> str | None:
    said = name
    for pattern, term in _lexicon()["lay"]:
        said = pattern.sub(term, said)
    return said if said != name else None


def _from_german(text: str) -> str | None:
    degree = _ROMAN_GRADE.sub(
        lambda m: f"{_GRADES[m[1]]} degree", text.casefold().replace("grades", "grad")
    )
    filler = set(_lexicon()["de_filler"])
    words, n_translated = [], 0
    for word in normalize_name(degree).split():
        if word in filler:
            continue
        term = _german_word(word)
        n_translated += term is not None and term != word
        words.append(term or word)
    return _joined(words) if n_translated else None


def _joined(terms: list[str]) -> str:
    """The terms in a row, no word twice running."""
    words = " ".join(terms).split()
    return " ".join(w for w, before in zip(words, ["", *words], strict=False) if w != before)


@lru_cache(maxsize=16384)
def _german_word(word: str) -> str | None:
    """The parts of a compound in English; None where some part of it is unknown."""
    parts: dict[str, str] = _lexicon()["de"]
    for ending in _ENDINGS:
        stem = word.removesuffix(ending) if ending else word
        if stem in parts and (not ending or word.endswith(ending)):
            return parts[stem]
    for cut in range(len(word) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
        head = word[:cut]
        for link in _LINKS:
            stem = head.removesuffix(link) if link else head
            if link and not head.endswith(link):
                continue
            if stem in parts and (rest := _german_word(word[cut:])) is not None:
                return f"{parts[stem]} {rest}"
    return None


def _from_spanish(name: str) -> str | None:
    terms: dict[str, str] = _lexicon()["es"]
    filler = set(_lexicon()["es_filler"])
    words, n_translated = [], 0
    for word in name.split():
        if word in filler:
            continue
        stems = (word, word.removesuffix("s"), word.removesuffix("e"), word.removesuffix("es"))
        term = next((terms[stem] for stem in stems if stem in terms), None)
        n_translated += term is not None and term != word
        words.append(term or word)
    return _joined(words) if n_translated else None
