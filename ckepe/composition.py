"""How a prompt is worded from its verified phrases."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from knowledge_sources.naming import word_key

Fits = Callable[[str], bool]
"""Whether the encoder reads a text whole."""


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


@dataclass(frozen=True, slots=True)
class Composed:
    """A prompt's text, and what there was no room for."""

    text: str
    left_out: tuple[str, ...] = ()

    @property
    def note(self) -> str | None:
        """What is to be said of a prompt that is shorter than its phrases."""
        if not self.left_out:
            return None
        listed = "; ".join(self.left_out)
        return f"The encoder's token limit leaves no room in the text for: {listed}."


def compose(
    names: Sequence[str],
    subtypes: Iterable[str],
    attributes: Iterable[str],
    style: Style = Style.FULL,
    *,
    fits: Fits,
) -> Composed:
    """Return the prompt: phrases joined by commas, none said twice, within the encoder's limit.

    It ends before the first phrase that would not fit; its first name stands in any case.

    Source: Liu et al. 2024 (MERL), section 3.3: the verified phrases are joined by commas.
    """
    phrases = list(names)
    if style is not Style.NAME:
        phrases += subtypes
    if style is Style.FULL:
        phrases += attributes
    phrases = _without_repeats(phrases)
    kept = 1
    while kept < len(phrases) and fits(_join(phrases[: kept + 1], style)):
        kept += 1
    return Composed(_join(phrases[:kept], style), tuple(phrases[kept:]))


def _join(phrases: Sequence[str], style: Style) -> str:
    text = ", ".join(phrases)
    return text.upper() if style is Style.REPORT else text


def _without_repeats(phrases: Iterable[str]) -> list[str]:
    said: dict[str, str] = {}
    for phrase in phrases:
        said.setdefault(word_key(phrase), phrase.strip(" ,."))
    return list(said.values())
