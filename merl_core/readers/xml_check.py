"""One pass over an XML document before any library builds a tree of it."""

import re
from typing import Any
from xml.parsers import expat

from merl_core.errors import InvalidRecordError
from merl_core.readers.text_encoding import decoded

MAX_DEPTH = 100
MAX_ELEMENTS = 500_000
MAX_ATTRIBUTES = 500
MAX_ATTRIBUTE_LENGTH = 16 * 2**20
"""Characters: FHIR and Mortara hold a lead's samples in one."""
MAX_DEFAULTS_LENGTH = 1000
"""Characters of all default values of a document type: each element repeats them."""
_DECLARATION = re.compile(r"^\s*(<\?xml[^>]*\?>)?")


def checked_document(name: str, content: bytes) -> tuple[str, bytes]:
    """Return the local name of the root element, and the document as a parser will take it.

    Exports exist that declare UTF-16 and are UTF-8, or that begin with an empty line: they come
    back in UTF-8 without a declaration. Without a root the name is empty. A document that breaks
    off after its root is left to its reader to refuse.

    Args:
        name: Of the file, for messages.
        content: The document.

    Raises:
        InvalidRecordError: `unsafe_file` if it declares entities or long defaults, nests deeper
            than `MAX_DEPTH`, or has more elements or attributes, or longer, than any recording.
    """
    watch = _Watch(name)
    watch.follow(content)
    if not watch.root:
        content = _redeclared(content)
        watch.follow(content)
    return watch.root.rpartition(":")[2], content


def _redeclared(content: bytes) -> bytes:
    """Return the document in UTF-8, without its declaration and what stands before it."""
    return _DECLARATION.sub("", decoded(content), count=1).encode()


class _Watch:
    """What the parser tells, counted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = ""
        self._depth = 0
        self._elements = 0
        self._defaults = 0

    def follow(self, content: bytes) -> None:
        """Parse as far as the document is well-formed."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.EntityDeclHandler = self.entity
        parser.AttlistDeclHandler = self.attribute_list
        self._depth = 0
        try:
            parser.Parse(content, True)
        except InvalidRecordError:
            raise
        except (expat.ExpatError, ValueError, LookupError):
            return

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.root = self.root or tag
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            self._refuse("is nested or split beyond any recording")
        if len(attributes) > MAX_ATTRIBUTES:
            self._refuse(f"has an element of {len(attributes)} attributes")

        if any(len(value) > MAX_ATTRIBUTE_LENGTH for value in attributes.values()):
            self._refuse("has an attribute longer than any lead")

    def attribute_list(
        self, element: str, name: str, kind: str, default: str | None, required: bool
    ) -> None:
        self._defaults += len(default or "")
        if self._defaults > MAX_DEFAULTS_LENGTH:
            self._refuse("declares long values for attributes that its elements leave out")

    def end(self, tag: str) -> None:
        self._depth -= 1

    def entity(self, entity: str, *declaration: Any) -> None:
        self._refuse(f"declares the XML entity {entity!r}; entities are not read")

    def _refuse(self, why: str) -> None:
        msg = f"{self.name!r} {why}"
        raise InvalidRecordError(msg, code="unsafe_file")
