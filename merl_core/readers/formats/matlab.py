"""MATLAB files, versions 4 to 7: `val` of the CinC challenges, structures, cells of lead names."""

import io
import math
import struct
import zlib
from typing import Any

import numpy as np
import scipy.io

from merl_core.readers.assembly import Findings, check_count
from merl_core.readers.named_arrays import named_arrays_to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record

_MAX_DEPTH = 4
_HEADER_BYTES = 128
_BIG_ENDIAN = 1000
"""Added to the type of a level 4 variable by machines of that byte order."""
_INT32, _FLAGS, _MATRIX, _COMPRESSED = 5, 6, 14, 15
"""Data types of the MAT-file format, level 5: miINT32, miUINT32, miMATRIX, miCOMPRESSED."""
_FIRST_BYTES = 64


def _recognises(part: Part) -> bool:
    return part.head.startswith(b"MATLAB 5.0 MAT-file") or _is_version_4(part)


def _is_version_4(part: Part) -> bool:
    """Return True for the level 4 header: type MOPT, rows, columns, imaginary flag, name length."""
    if len(part.head) < 21:
        return False
    order = ">" if part.head[0] == 0 and part.head[3] != 0 else "<"
    kind, rows, columns, imaginary, name_length = struct.unpack_from(f"{order}5i", part.head)
    kind -= _BIG_ENDIAN if order == ">" else 0
    if not (0 <= kind <= 52 and kind % 10 in (0, 1) and imaginary in (0, 1) and rows > 0):
        return False
    if not (columns > 0 and 2 <= name_length <= 64 and kind // 10 % 10 <= 5):
        return False
    name = part.head[20 : 20 + name_length]
    return name.endswith(b"\x00") and name[:-1].isascii() and name[:-1].replace(b"_", b"").isalnum()


def _read(part: Part) -> Record:
    findings = Findings()
    arrays = variables(part.content, findings)
    return named_arrays_to_record(arrays, "mat", findings, hint=part.name)


def variables(content: bytes, findings: Findings) -> dict[str, Any]:
    """Return the variables of a MATLAB file, fields of structures as `structure/field`.

    Raises:
        InvalidRecordError: They declare more than is read.
    """
    n_bytes, n_values = _declared(content)
    check_count(n_bytes // 2, len(content))
    stream: Any = io.BytesIO(content)
    with findings.library_warnings():
        if n_values is None:
            n_values = sum(abs(math.prod(shape)) for _, shape, _ in scipy.io.whosmat(stream))
            stream.seek(0)
        check_count(n_values)
        loaded = scipy.io.loadmat(stream, simplify_cells=True)
    found: dict[str, Any] = {}
    _flatten(loaded, "", found, 0)
    return found


def _declared(content: bytes) -> tuple[int, int | None]:
    """Return how many bytes and values the variables declare, by the first bytes of each.

    The values are None where scipy must be asked: in level 4, and behind unusual headers.
    """
    if not content.startswith(b"MATLAB 5.0"):
        return len(content), None
    order = ">" if content[126:128] == b"MI" else "<"
    n_bytes, n_values, at = 0, 0, _HEADER_BYTES
    is_plain = True
    while at + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}2I", content, at)
        begin = content[at : at + _FIRST_BYTES]
        if kind == _COMPRESSED:
            packed = content[at + 8 : at + 8 + size]
            begin = zlib.decompressobj().decompress(packed, _FIRST_BYTES)
        n_bytes += struct.unpack_from(f"{order}I", begin, 4)[0]
        shape = _shape(begin, order)
        is_plain = is_plain and shape is not None
        n_values += math.prod(shape or ())
        at += 8 + size
    return n_bytes, n_values if is_plain else None


def _shape(begin: bytes, order: str) -> tuple[int, ...] | None:
    """Return the shape that a level 5 variable declares: tag, flags, then dimensions."""
    if len(begin) < 40:
        return None
    kind, _, flags, n_flags, *_ = struct.unpack_from(f"{order}4I", begin)
    dimensions, n_bytes = struct.unpack_from(f"{order}2I", begin, 24)
    is_usual = (kind, flags, n_flags, dimensions) == (_MATRIX, _FLAGS, 8, _INT32)
    if not is_usual or 32 + n_bytes > len(begin):
        return None
    shape = struct.unpack_from(f"{order}{n_bytes // 4}i", begin, 32)
    return shape if min(shape, default=0) >= 0 else None


def _flatten(value: dict[str, Any], prefix: str, found: dict[str, Any], depth: int) -> None:
    """Add a structure's fields to `found` as `structure/field`."""
    for name, item in value.items():
        if name.startswith("__"):
            continue
        path = f"{prefix}{name}"
        if isinstance(item, dict):
            if depth < _MAX_DEPTH:
                _flatten(item, f"{path}/", found, depth + 1)
        elif isinstance(item, list):
            found[path] = np.array([str(word) for word in item])
        else:
            found[path] = item if isinstance(item, str) else np.asarray(item)


FORMATS = (Format("mat", "MATLAB 4 to 7", _recognises, _read, order=45),)
