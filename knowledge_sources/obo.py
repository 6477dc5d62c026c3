"""OBO flat files: the exchange format of the Human Phenotype and the Disease Ontology."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from knowledge_sources.errors import SourceFormatError

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(.*)')


@dataclass(slots=True)
class OboTerm:
    """One `[Term]` stanza."""

    term_id: str
    name: str = ""
    definition: str | None = None
    synonyms: list[tuple[str, str]] = field(default_factory=list)
    """Text, and what follows it: scope and type, `EXACT layperson []`."""
    xrefs: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    is_obsolete: bool = False


@dataclass(frozen=True, slots=True)
class OboFile:
    """The terms of an OBO file, and the version that its header names."""

    version: str
    terms: dict[str, OboTerm]


def read_obo(path: Path) -> OboFile:
    """Read an OBO 1.2 file.

    Source: https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_2.html

    Raises:
        SourceFormatError: A line is no `tag: value`, or a term has no id.
    """
    version, terms = "unknown", {}
    term: OboTerm | None = None
    in_header = True
    for number, line in _lines(path):
        if line.startswith("["):
            in_header = False
            term = OboTerm("") if line == "[Term]" else None
            continue
        tag, separator, value = line.partition(":")
        if not separator:
            raise SourceFormatError(path, f"expected 'tag: value', found {line!r}", line=number)
        value = value.strip()
        if in_header and tag == "data-version":
            version = value.rsplit("/", 1)[-1]
        if term is not None:
            if not term.term_id and tag != "id":
                raise SourceFormatError(path, f"term has {tag!r} before its id", line=number)
            _read_tag(term, tag, value, path, number)
            terms[term.term_id] = term
    return OboFile(version, terms)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if stripped := line.strip():
                    yield number, stripped
    except (OSError, UnicodeDecodeError) as error:
        raise SourceFormatError(path, f"cannot be read: {error}") from error


def _read_tag(term: OboTerm, tag: str, value: str, path: Path, number: int) -> None:
    match tag:
        case "id":
            term.term_id = value
        case "name":
            term.name = value
        case "is_obsolete":
            term.is_obsolete = value == "true"
        case "is_a":
            term.parents.append(value.split(" ", 1)[0])
        case "xref":
            term.xrefs.append(value.split(" ", 1)[0])
        case "def" | "synonym":
            quoted = _QUOTED.match(value)
            if quoted is None:
                message = f"expected a quoted text, found {value!r}"
                raise SourceFormatError(path, message, line=number, column=tag)
            text = quoted[1].replace('\\"', '"').replace("\\n", " ")
            if tag == "def":
                term.definition = text
            else:
                term.synonyms.append((text, quoted[2]))
