"""What was sent: files by name, archives opened, nothing outside of them ever touched."""

import hashlib
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from merl_core.errors import InvalidRecordError
from merl_core.readers.text_encoding import decoded
from merl_core.readers.xml_check import checked_document

MAX_UNPACKED_BYTES = 256 * 2**20
MAX_MEMBERS = 1000
MAX_RATIO = 200
"""Of unpacked to packed size; real signals reach 40 (a flat lead in decimal digits)."""

_CHUNK = 2**17
_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b\x08"
_ZIP_ERRORS = (
    ArithmeticError, EOFError, LookupError, OSError, RuntimeError, ValueError, lzma.LZMAError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_IGNORED = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Part:
    """One file of an upload, with what its reader may ask about it."""

    name: str
    """Path within the upload, with `/`; for hints and companions, never to tell the format."""
    content: bytes
    siblings: Mapping[str, bytes] = field(default_factory=dict)
    """By bare name: files of the same folder, this one included, and those of other folders
    whose name is there only once."""
    found: dict[str, Any] = field(default_factory=dict, compare=False)
    """What recognising this file found out, for reading it."""

    @property
    def head(self) -> bytes:
        """The first 4 KiB."""
        return self.content[:4096]

    @cached_property
    def root_tag(self) -> str:
        """Local name of the XML root element, or an empty string if this is not XML.

        Raises:
            InvalidRecordError: The document declares entities (a way to exhaust or to spy), or is
                nested or split beyond any recording.
        """
        start = self.head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")
        return self._checked[0] if start.startswith(b"<") else ""

    @property
    def document(self) -> bytes:
        """The XML as a parser will take it, whatever its declaration says."""
        return self._checked[1]

    @cached_property
    def _checked(self) -> tuple[str, bytes]:
        return checked_document(self.name, self.content)

    @cached_property
    def text(self) -> str:
        """The content as text; UTF-8 or UTF-16 where marked or valid, else Latin-1.

        The minus sign of typesetting comes back as the hyphen that numbers are written with.
        """
        return decoded(self.content).replace("\N{MINUS SIGN}", "-")


def is_archive(content: bytes) -> bool:
    """Return True for a zip that is not itself a format (`.npz`)."""
    if not content.startswith(_ZIP):
        return False
    names = _member_names(content)
    return not (names and all(name.endswith(".npy") for name in names))


def _member_names(content: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [info.filename for info in archive.infolist()]
    except _ZIP_ERRORS:
        return []


def open_upload(files: Mapping[str, bytes]) -> list[Part]:
    """Return the parts of an upload, members of zip archives included.

    Args:
        files: Content by name. Folders in a name are kept only to tell companions apart.

    Raises:
        InvalidRecordError: Nothing was sent, or an archive is broken, too large when unpacked,
            or names files outside of itself.
    """
    unpacked: dict[str, bytes] = {}
    for name, content in files.items():
        if is_archive(content):
            unpacked.update(_unzip(name, content))
        elif content.startswith(_GZIP):
            plain = name.removesuffix(".gz").removesuffix(".GZ")
            unpacked[_confined(plain)] = _gunzipped(name, content)
        else:
            unpacked[_confined(name)] = content
    unpacked = {k: v for k, v in unpacked.items() if not _is_ignored(k)}
    if "[Content_Types].xml" in unpacked:
        msg = "this is an Office document: export the table as CSV"
        raise InvalidRecordError(msg, code="unknown_format")
    if not any(unpacked.values()):
        msg = "the upload is empty"
        raise InvalidRecordError(msg, code="unknown_format")
    folders: dict[str, dict[str, bytes]] = {}
    everywhere: dict[str, list[bytes]] = {}
    for name, content in unpacked.items():
        path = PurePosixPath(name)
        folders.setdefault(str(path.parent), {})[path.name] = content
        everywhere.setdefault(path.name, []).append(content)
    elsewhere = {name: found[0] for name, found in everywhere.items() if len(found) == 1}
    return [
        Part(name, content, elsewhere | folders[str(PurePosixPath(name).parent)])
        for name, content in sorted(unpacked.items())
    ]


def sha256(files: Mapping[str, bytes]) -> str:
    """Return the digest of the files' bytes in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(files[name])
    return digest.hexdigest()


def _is_ignored(name: str) -> bool:
    return name.startswith(_IGNORED[0]) or PurePosixPath(name).name in _IGNORED[1:]


def _confined(name: str) -> str:
    """Return the name as a relative path inside the upload; refuse any other."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        msg = f"file name {name!r} points outside of the upload"
        raise InvalidRecordError(msg, code="unsafe_file")
    return str(path)


def _unzip(archive_name: str, content: bytes) -> dict[str, bytes]:
    unpacked: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            _check_members(archive_name, members, len(content))
            for info in members:
                unpacked[_confined(info.filename)] = archive.read(info)
    except InvalidRecordError:
        raise
    except _ZIP_ERRORS as error:
        msg = f"archive {archive_name!r} cannot be unpacked: {error}"
        raise InvalidRecordError(msg) from error
    return unpacked


def _gunzipped(name: str, content: bytes) -> bytes:
    """Return what a gzip file holds, unpacked no further than an ECG may be."""
    limit = min(MAX_UNPACKED_BYTES, MAX_RATIO * max(len(content), 4096))
    try:
        if _gunzipped_size(content, limit) > limit:
            msg = f"{name!r} of {len(content)} bytes unpacks to more than {limit}"
            raise InvalidRecordError(msg, code="too_large")
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        unpacked = unpacker.decompress(content, limit)
    except zlib.error as error:
        msg = f"{name!r} cannot be unpacked: {error}"
        raise InvalidRecordError(msg) from error
    if not unpacker.eof or unpacked.startswith((_ZIP, _GZIP)):
        msg = f"{name!r} breaks off, or holds another archive"
        raise InvalidRecordError(msg)
    return unpacked


def _gunzipped_size(content: bytes, limit: int) -> int:
    """Return how much a gzip file unpacks to, counted no further than beyond the limit.

    Nothing is kept, so that a bomb costs no memory.
    """
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    total = 0
    for begin in range(0, len(content), _CHUNK):
        piece = content[begin : begin + _CHUNK]
        while piece and total <= limit and not unpacker.eof:
            total += len(unpacker.decompress(piece, _CHUNK))
            piece = unpacker.unconsumed_tail
    return total


def _check_members(archive_name: str, members: list[zipfile.ZipInfo], packed: int) -> None:
    unpacked = sum(info.file_size for info in members)
    if len(members) > MAX_MEMBERS:
        msg = f"archive {archive_name!r} holds {len(members)} files; {MAX_MEMBERS} are read"
        raise InvalidRecordError(msg, code="too_large")
    if unpacked > MAX_UNPACKED_BYTES or unpacked > MAX_RATIO * max(packed, 4096):
        msg = f"archive {archive_name!r} of {packed} bytes unpacks to {unpacked}"
        raise InvalidRecordError(msg, code="too_large")
    for info in members:
        if stat.S_ISLNK(info.external_attr >> 16):
            msg = f"archive {archive_name!r} holds the link {info.filename!r}"
            raise InvalidRecordError(msg, code="unsafe_file")
        if info.flag_bits & 0x1:
            msg = f"archive {archive_name!r} is encrypted; send it without a password"
            raise InvalidRecordError(msg)
