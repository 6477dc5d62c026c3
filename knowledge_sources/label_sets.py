"""The six benchmark label sets: (data set, code) -> meaning and concept.

The same code means different things in different data sets (`csn:AF` is atrial flutter), so a
label is always named with its set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from knowledge_sources.ecg_statements import PREFIX
from knowledge_sources.errors import KnowledgeError

_DATA: Final = Path(__file__).parent / "data" / "label_sets.yaml"


@dataclass(frozen=True, slots=True)
class Label:
    """One class of a data set."""

    label_set: str
    code: str
    meaning: str
    concept_ids: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The label as it is written everywhere: `csn:AF`."""
        return f"{self.label_set}:{self.code}"


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The classes of a data set, in its own order."""

    name: str
    title: str
    labels: tuple[Label, ...]

    def get(self, code: str) -> Label:
        """Return a label by its code, in any case.

        Raises:
            KnowledgeError: The set has no such code.
        """
        for label in self.labels:
            if label.code.casefold() == code.casefold():
                return label
        codes = ", ".join(label.code for label in self.labels)
        msg = f"label set {self.name!r} has no class {code!r}, expected one of {codes}"
        raise KnowledgeError(msg)


@cache
def label_sets() -> Mapping[str, LabelSet]:
    """Return all label sets by name."""
    raw = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    return {
        name: LabelSet(
            name,
            item["title"],
            tuple(
                Label(
                    name,
                    code,
                    entry["meaning"],
                    (PREFIX + entry["concept"],),
                    tuple(entry.get("notes", ())),
                )
                for code, entry in item["labels"].items()
            ),
        )
        for name, item in raw.items()
    }


def label_set(name: str) -> LabelSet:
    """Return a label set by its name.

    Raises:
        KnowledgeError: There is no such set.
    """
    try:
        return label_sets()[name]
    except KeyError:
        msg = f"unknown label set {name!r}, expected one of {', '.join(label_sets())}"
        raise KnowledgeError(msg) from None


def find_label(key: str) -> Label | None:
    """Return the label that `set:code` names; None if the text is not written so.

    Raises:
        KnowledgeError: The set exists and has no such code.
    """
    name, separator, code = key.partition(":")
    if not separator or name.strip() not in label_sets():
        return None
    return label_set(name.strip()).get(code.strip())
