"""A record as JSON and raw samples, for the pipe between `ReaderPool` and its children."""

from datetime import datetime
from typing import Any

import numpy as np

from merl_core.errors import InvalidRecordError
from merl_core.records import DeviceReport, Record, RecordWarning


def pack(record: Record) -> tuple[dict[str, Any], memoryview]:
    """Return all but the samples as JSON types, and the samples as bytes."""
    meta = {
        "shape": record.signal.shape,
        "leads": record.leads,
        "fs": record.fs,
        "format": record.format,
        "sha256": record.sha256,
        "start": record.start.isoformat() if record.start else None,
        "age_years": record.age_years,
        "sex": record.sex,
        "measurements": record.device.measurements,
        "statements": record.device.statements,
        "warnings": [(warning.code, warning.message) for warning in record.warnings],
    }
    return meta, np.ascontiguousarray(record.signal).data.cast("B")


def unpack(meta: dict[str, Any], samples: bytes) -> Record:
    """Return the record, or raise the error that `meta` carries.

    Raises:
        InvalidRecordError: The child refused the file.
    """
    if "error" in meta:
        raise InvalidRecordError(meta["error"], code=meta["code"])
    signal = np.frombuffer(bytearray(samples), np.float32).reshape(meta["shape"])
    return Record(
        signal,
        tuple(meta["leads"]),
        meta["fs"],
        format=meta["format"],
        sha256=meta["sha256"],
        start=datetime.fromisoformat(meta["start"]) if meta["start"] else None,
        age_years=meta["age_years"],
        sex=meta["sex"],
        device=DeviceReport(meta["measurements"], tuple(meta["statements"])),
        warnings=tuple(RecordWarning(*warning) for warning in meta["warnings"]),
    )
