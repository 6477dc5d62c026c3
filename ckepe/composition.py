"""How a prompt is worded from its verified phrases."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from knowledge_sources.naming import word_key

MAX_WORDS: Final = 120
"""Longer prompts are cut at a phrase: the sentence encoder reads 256 tokens."""


class Style(StrEnum):
    """What a prompt holds."""

    NAME = "name"
    """The name alone."""
    SUBTYPES = "subtypes"
    """Name and sub-types."""
    FULL = "full"
    """Name, sub-types and attributes."""
    REPORT = "report"
    """As a cart prints it: upper case, name and sub-types."""


def compose(
    names: Sequence[str],
    subtypes: Iterable[str],
    attributes: Iterable[str],
    style: Style = Style.FULL,
) -> str:
    """Return the prompt: phrases joined by commas, none said twice, within the encoder's limit.

    Source: Liu et al. 2024 (MERL), section 3.3: the verified phrases are joined by commas.
    """
    phrases = list(names)
    if style is not Style.NAME:
        phrases += subtypes
    if style is Style.FULL:
        phrases += attributes
    text = ", ".join(_within_limit(_without_repeats(phrases)))
    return text.upper() if style is Style.REPORT else text


def _without_repeats(phrases: Iterable[str]) -> list[str]:
    said: dict[str, str] = {}
    for phrase in phrases:
        said.setdefault(word_key(phrase), phrase.strip(" ,."))
    return list(said.values())


def _within_limit(phrases: Sequence[str]) -> list[str]:
    kept: list[str] = []
    n_words = 0
    for phrase in phrases:
        n_words += len(phrase.split())
        if kept and n_words > MAX_WORDS:
            break
        kept.append(phrase)
    return kept
