"""Files in, one `Record` out: find the format by content, read, and hide every library's errors."""

import binascii
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import ParseError

import numpy as np

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import without_quotations
from merl_core.readers.registry import Format, formats
from merl_core.readers.upload import Part, open_upload, sha256
from merl_core.records import Record

MAX_BYTES = 256 * 2**20

PARSER_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError,
    LookupError, NameError, OSError, ParseError, RuntimeError, StopIteration, SyntaxError,
    TypeError, ValueError, binascii.Error, lzma.LZMAError, struct.error,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What parsers raise when a file is not what it says; bugs in a parser look the same."""

_HINTS = (
    (b"%PDF", "a PDF document: send the recording, not its printout"),
    (b"\x89PNG", "an image: send the recording, not a picture of it"),
    (b"\xff\xd8\xff", "an image: send the recording, not a picture of it"),
    (b"GIF8", "an image: send the recording, not a picture of it"),
    (b"II*\x00", "an image: send the recording, not a picture of it"),
    (b"\xd0\xcf\x11\xe0", "an Office document: export the table as CSV"),
    (b"Rar!", "a rar archive: send a zip"),
    (b"7z\xbc\xaf", "a 7z archive: send a zip"),
    (b"BZh", "compressed by bzip2: send it in a zip"),
    (b"\xfd7zXZ", "compressed by xz: send it in a zip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: send it in a zip"),
    (b"\x80\x04\x95", "a pickled Python object, which is never read: save it as NPY"),
    (b"ARROW1", "an Arrow file: save the table as Parquet"),
    (b"{", "JSON, but no FHIR: export the table as CSV"),
)
_TAR_MAGIC = slice(257, 262)


def read_record(paths: Path | str | Sequence[Path | str]) -> Record:
    """Return the recording that one or several files hold.

    Args:
        paths: A file, the files of one recording (WFDB header and signal), or one file of such
            a set: the others are found beside it. A zip may stand for them.

    Raises:
        InvalidRecordError: `unknown_format` if no reader knows the content, `too_large`, or a
            code that says in which way a known format cannot be used.
        FileNotFoundError: A path does not exist.
    """
    return read_files(load_files(paths))


def read_files(files: Mapping[str, bytes]) -> Record:
    """Return the recording that the files hold, given as bytes by name.

    Raises:
        InvalidRecordError: As `read_record`.
    """
    parts = open_upload(files)
    part, fmt = find_format(parts)
    try:
        with np.errstate(all="ignore"):
            record = fmt.read(part)
    except InvalidRecordError:
        raise
    except MemoryError as error:
        msg = f"reading {part.name!r} as {fmt.title} needs more memory than allowed"
        raise InvalidRecordError(msg, code="limit_exceeded") from error
    except (*PARSER_ERRORS, *_library_errors()) as error:
        detail = f"{type(error).__name__}: {without_quotations(str(error))}"
        if "out of memory" in detail.lower():
            msg = f"reading {part.name!r} as {fmt.title} needs more memory than allowed"
            raise InvalidRecordError(msg, code="limit_exceeded") from error
        msg = f"{part.name!r} looks like {fmt.title} but cannot be read: {detail}"
        raise InvalidRecordError(msg) from error
    return replace(record, sha256=sha256(files))


def warm_up() -> None:
    """Load every reader and the libraries that they use, so that the first file waits for none."""
    formats()
    _library_errors()


def find_format(parts: Sequence[Part]) -> tuple[Part, Format]:
    """Return the part that holds a recording, and its format.

    Raises:
        InvalidRecordError: `unknown_format`, or `several_records` if more than one does.
    """
    found: list[tuple[Part, Format]] = []
    for part in parts:
        fmt = next((fmt for fmt in formats() if part.content and fmt.recognises(part)), None)
        if fmt is not None:
            found.append((part, fmt))
    if not found:
        raise InvalidRecordError(_unknown(parts), code="unknown_format")
    best = min(fmt.order for _, fmt in found)
    candidates = [(part, fmt) for part, fmt in found if fmt.order == best]
    if len(candidates) > 1:
        names = ", ".join(repr(part.name) for part, _ in candidates[:4])
        msg = f"the upload holds {len(candidates)} recordings ({names}); send one"
        raise InvalidRecordError(msg, code="several_records")
    return candidates[0]


def load_files(paths: Path | str | Sequence[Path | str]) -> dict[str, bytes]:
    """Return the bytes of files by name, with the companions that a WFDB header needs.

    Raises:
        FileNotFoundError: A path does not exist.
        InvalidRecordError: The files are larger than `MAX_BYTES`.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    found: dict[str, Path] = {}
    for item in given:
        for path in _with_companions(Path(item)):
            found[path.name] = path
    total = sum(path.stat().st_size for path in found.values())
    if total > MAX_BYTES:
        msg = f"{total} bytes; up to {MAX_BYTES} are read"
        raise InvalidRecordError(msg, code="too_large")
    return {name: path.read_bytes() for name, path in found.items()}


def _with_companions(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(item for item in path.iterdir() if item.is_file())
    header = path if path.suffix == ".hea" else path.with_suffix(".hea")
    bare = path.parent / f"{path.name}.hea"
    if not path.exists() and bare.exists():
        header = bare
    if path.suffix not in ("", ".hea", ".dat", ".mat") or not header.is_file():
        return [path]
    text = header.read_bytes()[:200_000].decode("latin-1")
    words = {line.split()[0] for line in text.splitlines() if line.split()}
    named = {word for word in words if "/" not in word and "\\" not in word}
    beside = [header.parent / name for name in named]
    segments = [header.parent / f"{name}.hea" for name in named if header.stem != name]
    companions = [item for item in (*beside, *segments) if item.is_file() and item != header]
    extra = [
        found for item in companions if item.suffix == ".hea" for found in _with_companions(item)
    ]
    return list(dict.fromkeys([header, *companions, *extra]))


def _library_errors() -> tuple[type[Exception], ...]:
    """Return the base errors of libraries that are not built on Python's own."""
    from ecgdatakit.exceptions import ECGDataKitError
    from pydicom.errors import BytesLengthException, InvalidDicomError
    from scipy.io.matlab import MatReadError

    return ECGDataKitError, BytesLengthException, InvalidDicomError, MatReadError


def _unknown(parts: Sequence[Part]) -> str:
    first = parts[0]
    for magic, hint in _HINTS:
        if first.content.startswith(magic):
            return f"{first.name!r} is {hint}"
    if first.content[_TAR_MAGIC] == b"ustar":
        return f"{first.name!r} is a tar archive: send a zip"
    if all(part.name.endswith((".dat", ".xyz")) for part in parts):
        return f"{first.name!r} is no format known here; a WFDB signal needs its .hea beside it"
    names = ", ".join(repr(part.name) for part in parts[:4])
    return f"the content of {names} is no ECG format known here"
