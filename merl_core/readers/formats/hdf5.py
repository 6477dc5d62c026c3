"""HDF5, MATLAB 7.3 included: datasets by name; links out of the file are never followed."""

import io
import math
from typing import Any

import h5py
import numpy as np

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, check_count
from merl_core.readers.named_arrays import fields_of, named_arrays_to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record

_MAGIC = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS = 500
_MAX_ATTRIBUTES = 100
_MAX_TEXT_BYTES = 100_000
"""Of an attribute, or of a dataset that holds text."""


def _recognises(part: Part) -> bool:
    return part.head.startswith(_MAGIC) or part.head[512:520] == _MAGIC


def _read(part: Part) -> Record:
    arrays: dict[str, Any] = {}
    with h5py.File(io.BytesIO(part.content), "r") as file:
        objects: list[tuple[str, Any]] = [("", file)]
        file.visititems(lambda name, item: _collect(objects, name, item))
        datasets = [(name, item) for name, item in objects if isinstance(item, h5py.Dataset)]
        check_count(sum(item.size or 0 for _, item in datasets), len(part.content))
        for name, item in objects:
            arrays.update(_attributes(name, item))
        for name, item in datasets:
            value = _values(name, item)
            is_table = isinstance(value, np.ndarray) and value.dtype.names
            arrays.update(fields_of(value, f"{name}/") if is_table else {name: value})
    return named_arrays_to_record(arrays, "hdf5", Findings(), hint=part.name)


def _collect(objects: list[tuple[str, Any]], name: str, item: Any) -> bool | None:
    """Keep an object; stop the visit (True) after many."""
    objects.append((name, item))
    return True if len(objects) > _MAX_OBJECTS else None


def _attributes(name: str, item: Any) -> dict[str, Any]:
    """Return an object's attributes as values beside the datasets; units of a signal included."""
    found: dict[str, Any] = {}
    for key in list(item.attrs)[:_MAX_ATTRIBUTES]:
        header = item.attrs.get_id(key)
        declared = math.prod(header.shape or (1,)) * header.dtype.itemsize
        if declared <= _MAX_TEXT_BYTES and not key.startswith("MATLAB_"):
            found[f"{name}@/{key}"] = item.attrs[key]
    return found


def _values(name: str, dataset: Any) -> Any:
    """Return what a dataset holds: an array, or text.

    Raises:
        InvalidRecordError: Its samples lie in other files.
    """
    if dataset.external or dataset.is_virtual:
        msg = f"dataset {name!r} keeps its samples in other files, which are not read"
        raise InvalidRecordError(msg, code="unsafe_file")
    is_number = dataset.dtype.kind in "iufb" or _is_table_of_numbers(dataset.dtype)
    if dataset.dtype.kind == "O" and h5py.check_string_dtype(dataset.dtype) is None:
        return None
    if not is_number and (dataset.size or 0) * dataset.dtype.itemsize > _MAX_TEXT_BYTES:
        return None
    value = dataset[()]
    is_text = dataset.attrs.get("MATLAB_class") == b"char"
    if is_text and isinstance(value, np.ndarray) and value.size < 1000:
        return "".join(chr(int(code)) for code in value.ravel())
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return np.array([_word(item) for item in value.ravel()[:1000]])
    return np.asarray(value) if isinstance(value, np.generic) else value


def _is_table_of_numbers(dtype: Any) -> bool:
    return bool(dtype.names) and all(dtype[name].kind in "iuf" for name in dtype.names)


def _word(item: Any) -> str:
    return item.decode("utf-8", errors="replace") if isinstance(item, bytes) else str(item)


FORMATS = (Format("hdf5", "HDF5, MATLAB 7.3", _recognises, _read, order=10),)
