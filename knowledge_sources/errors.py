"""Errors of knowledge_sources.

KnowledgeError
└── SourceFormatError   a source's file is broken: names file, line and column
"""

from pathlib import Path


class KnowledgeError(Exception):
    """A knowledge source cannot be used: absent, unknown, or not permitted."""


class SourceFormatError(KnowledgeError):
    """A source's file is broken; nothing of it was loaded.

    Args:
        path: The file.
        message: What was found and what was expected.
        line: 1-based line, where one is known.
        column: Name or 1-based number of the column, where one is known.
    """

    def __init__(
        self,
        path: Path | str,
        message: str,
        *,
        line: int | None = None,
        column: str | int | None = None,
    ) -> None:
        place = str(path)
        if line is not None:
            place += f", line {line}"
        if column is not None:
            place += f", column {column}"
        super().__init__(f"{place}: {message}")
        self.path = str(path)
        self.line = line
        self.column = column
