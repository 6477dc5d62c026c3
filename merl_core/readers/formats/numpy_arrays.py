"""NPY and NPZ: declared sizes are checked before memory is taken; pickles are never read."""

import io
import math
import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, check_count
from merl_core.readers.named_arrays import fields_of, named_arrays_to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import MAX_MEMBERS, Part, is_archive
from merl_core.records import Record

_MAGIC = b"\x93NUMPY"


def _recognises_npy(part: Part) -> bool:
    return part.head.startswith(_MAGIC)


def _recognises_npz(part: Part) -> bool:
    return part.head.startswith(b"PK\x03\x04") and not is_archive(part.content)


def _read_npy(part: Part) -> Record:
    array = _array(part.name, part.content)
    arrays = fields_of(array) if array.dtype.names else {"signal": array}
    return named_arrays_to_record(arrays, "npy", Findings(), hint=part.name)


def _read_npz(part: Part) -> Record:
    arrays: dict[str, Any] = {}
    with zipfile.ZipFile(io.BytesIO(part.content)) as archive:
        members = archive.infolist()
        check_count(sum(info.file_size for info in members) // 2, len(part.content))
        if len(members) > MAX_MEMBERS:
            msg = f"{part.name!r} holds {len(members)} arrays; {MAX_MEMBERS} are read"
            raise InvalidRecordError(msg, code="too_large")
        for info in members:
            arrays[info.filename.removesuffix(".npy")] = _array(info.filename, archive.read(info))
    return named_arrays_to_record(arrays, "npz", Findings(), hint=part.name)


def _array(name: str, content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    readers[(3, 0)] = npy.read_array_header_2_0  # but for names of fields beyond Latin-1
    if version not in readers:
        msg = f"{name!r} is of the NPY version {version}; 1.0 to 3.0 are read"
        raise InvalidRecordError(msg)
    shape, fortran_order, dtype = readers[version](stream)
    if dtype.hasobject:
        msg = f"{name!r} holds pickled objects, which are never read"
        raise InvalidRecordError(msg, code="unsafe_file")
    count = math.prod(shape)
    available = len(content) - stream.tell()
    if count * dtype.itemsize > available or dtype.itemsize == 0:
        msg = f"{name!r} declares {shape} of {dtype}, but holds {available} bytes"
        raise InvalidRecordError(msg, code="truncated_file")
    check_count(count)
    flat = np.frombuffer(content, dtype, count, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran_order else "C")


FORMATS = (
    Format("npy", "NumPy array (NPY)", _recognises_npy, _read_npy, order=10),
    Format("npz", "NumPy arrays (NPZ)", _recognises_npz, _read_npz, order=10),
)
