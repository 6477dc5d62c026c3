"""One pass over an XML document before any library builds a tree of it."""

from typing import Any
from xml.parsers import expat

from merl_core.errors import InvalidRecordError

MAX_DEPTH = 100
MAX_ELEMENTS = 500_000
MAX_ATTRIBUTES = 500


def checked_root(name: str, content: bytes) -> str:
    """Return the local name of the root element, an empty string if there is none.

    A document that breaks off after its root is left to its reader to refuse.

    Args:
        name: Of the file, for messages.
        content: The document.

    Raises:
        InvalidRecordError: `unsafe_file` if it declares entities, nests deeper than `MAX_DEPTH`, or
            has more elements or attributes than any recording.
    """
    watch = _Watch(name)
    parser = expat.ParserCreate()
    parser.StartElementHandler = watch.start
    parser.EndElementHandler = watch.end
    parser.EntityDeclHandler = watch.entity
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, InvalidRecordError):
            raise
    return watch.root.rpartition("}")[2].rpartition(":")[2]


class _Watch:
    """What the parser tells, counted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = ""
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.root = self.root or tag
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            self._refuse("is nested or split beyond any recording")
        if len(attributes) > MAX_ATTRIBUTES:
            self._refuse(f"has an element of {len(attributes)} attributes")

    def end(self, tag: str) -> None:
        self._depth -= 1

    def entity(self, entity: str, *declaration: Any) -> None:
        self._refuse(f"declares the XML entity {entity!r}; entities are not read")

    def _refuse(self, why: str) -> None:
        msg = f"{self.name!r} {why}"
        raise InvalidRecordError(msg, code="unsafe_file")
