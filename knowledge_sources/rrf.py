"""Rich Release Format: the pipe-separated files of UMLS and MedGen, read as a stream.

Source: NLM UMLS Reference Manual, chapter 3 (Metathesaurus, Rich Release Format), NBK9685.
"""

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final, cast

from knowledge_sources.errors import KnowledgeError, SourceFormatError

COLUMNS: Final = {
    "CONSO": "CUI LAT TS LUI STT SUI ISPREF AUI SAUI SCUI SDUI SAB TTY CODE STR SRL SUPPRESS CVF",
    "DEF": "CUI AUI ATUI SATUI SAB DEF SUPPRESS CVF",
    "REL": "CUI1 AUI1 STYPE1 REL CUI2 AUI2 STYPE2 RELA RUI SRUI SAB SL RG DIR SUPPRESS CVF",
    "STY": "CUI TUI STN STY ATUI CVF",
}
"""Columns of a file that neither MRFILES.RRF nor a header line describes."""

Progress = Callable[[str, int, int], None]
"""Called with a file's name, bytes read and bytes in all."""

Where = Callable[[str], bool]
"""Told a whole line, says whether it is wanted."""

_REPORT_EVERY: Final = 1 << 17


class RrfFolder:
    """The RRF files of one release.

    Args:
        folder: The folder that holds them: `META` of a UMLS release, or MedGen's.
        prefix: `MR` for UMLS, `MG` for MedGen.
        on_progress: Told how far each file is.

    Raises:
        KnowledgeError: The folder holds no concept file.
    """

    def __init__(
        self, folder: Path, prefix: str = "MR", on_progress: Progress | None = None
    ) -> None:
        meta = folder / "META"
        self._folder = meta if meta.is_dir() else folder
        self._prefix = prefix
        self._on_progress = on_progress
        if self.find("CONSO") is None:
            msg = f"{str(folder)!r} holds no {prefix}CONSO.RRF: not a release in this format"
            raise KnowledgeError(msg)
        self._described = self._read_columns()

    def find(self, kind: str) -> Path | None:
        """Return the path of a file, compressed or not; None if the release lacks it."""
        for suffix in ("", ".gz"):
            path = self._folder / f"{self._prefix}{kind}.RRF{suffix}"
            if path.is_file():
                return path
        return None

    def files(self) -> list[Path]:
        """Return the paths of all files that a loader reads."""
        return [path for kind in COLUMNS if (path := self.find(kind)) is not None]

    def rows(
        self, kind: str, wanted: Sequence[str], where: Where | None = None
    ) -> Iterator[tuple[str, ...]]:
        """Yield the wanted columns of each row, in their order; nothing if the file is absent.

        Args:
            kind: `CONSO`, `DEF`, `REL` or `STY`.
            wanted: Names of columns.
            where: Whether a line is wanted at all, asked before it is split: most are not. Every
                line is checked, wanted or not.

        Raises:
            SourceFormatError: A row has too few or too many fields, or a column is missing.
        """
        path = self.find(kind)
        if path is None:
            return
        columns = self._columns(path, kind)
        missing = [c for c in wanted if c not in columns]
        if missing:
            message = f"there is no such column; the file has {', '.join(columns)}"
            raise SourceFormatError(path, message, line=1, column=missing[0])
        places = [columns.index(c) for c in wanted]
        for fields in self._split(path, len(columns), where):
            yield tuple(fields[place] for place in places)

    def _split(self, path: Path, n_columns: int, where: Where | None) -> Iterator[list[str]]:
        total, done = path.stat().st_size, 0
        with _open(path) as file:
            for number, raw in enumerate(file, start=1):
                if not number % _REPORT_EVERY and self._on_progress is not None:
                    done = file.tell()
                    self._on_progress(path.name, min(done, total), total)
                if number == 1 and raw.startswith(b"#"):
                    continue
                line = _check(path, number, raw, n_columns)
                if where is None or where(line):
                    yield line.split("|")
        if self._on_progress is not None:
            self._on_progress(path.name, total, total)

    def _columns(self, path: Path, kind: str) -> list[str]:
        with _open(path) as file:
            first = file.readline()
        if first.startswith(b"#"):
            return [c.strip() for c in first.decode().lstrip("#").strip("|\r\n").split("|")]
        return self._described.get(path.name.removesuffix(".gz")) or COLUMNS[kind].split()

    def _read_columns(self) -> dict[str, list[str]]:
        path = self._folder / "MRFILES.RRF"
        if not path.is_file():
            return {}
        found = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            fields = line.split("|")
            if len(fields) < 3:
                message = f"expected FIL|DES|FMT, found {len(fields)} fields"
                raise SourceFormatError(path, message, line=number)
            found[fields[0]] = fields[2].split(",")
        return found


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _check(path: Path, number: int, raw: bytes, n_columns: int) -> str:
    try:
        line = raw.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start}"
        raise SourceFormatError(path, message, line=number) from error
    n_found = line.count("|")
    if n_found != n_columns or not line.endswith("|"):
        message = f"expected {n_columns} fields, each followed by '|', found {n_found}"
        raise SourceFormatError(path, message, line=number, column=min(n_found + 1, n_columns))
    return line
