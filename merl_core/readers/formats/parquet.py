"""Parquet tables: one column a lead, a time column perhaps."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from merl_core.errors import InvalidRecordError
from merl_core.readers.assembly import Findings, check_count
from merl_core.readers.formats.long_table import long_columns, record_of_rows
from merl_core.readers.named_arrays import named_arrays_to_record
from merl_core.readers.registry import Format
from merl_core.readers.tables import Table, table_to_record
from merl_core.readers.upload import Part
from merl_core.records import Record

_RATE_KEYS = (b"fs", b"sampling_rate", b"sampling_frequency", b"sample_rate")
_UNIT_KEYS = (b"unit", b"units")
_TICKS_PER_S = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def _recognises(part: Part) -> bool:
    return part.head.startswith(b"PAR1") and part.content.endswith(b"PAR1")


def _read(part: Part) -> Record:
    findings = Findings()
    try:
        file = pq.ParquetFile(io.BytesIO(part.content))
        n_values = file.metadata.num_rows * file.metadata.num_columns
        check_count(n_values, len(part.content))
        table = file.read(use_threads=False)
    except pa.ArrowException as error:
        msg = f"the Parquet file cannot be read: {str(error)[:200]}"
        raise InvalidRecordError(msg) from error
    if any(_is_list(field.type) for field in table.schema):
        return named_arrays_to_record(_nested(table), "parquet", findings, hint=part.name)
    table = _times_as_seconds(table)
    places = long_columns(table.column_names)
    if places is not None:
        lead, value = (table.column(place).to_pandas() for place in places[:2])
        time = None if places[2] is None else table.column(places[2]).to_pandas()
        return record_of_rows(lead, value, time, "parquet", findings, hint=part.name)
    table = _decimals_as_floats(table)
    numeric = [
        field.name
        for field in table.schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    left_out = [name for name in table.column_names if name not in numeric]
    if left_out:
        findings.warn("signals_left_out", f"columns left out: {', '.join(left_out)[:200]}")
    if not numeric:
        msg = f"no column of numbers among {table.column_names[:8]}"
        raise InvalidRecordError(msg, code="no_signal")
    columns = [table.column(name).to_numpy().astype(np.float64) for name in numeric]
    metadata = table.schema.metadata or {}
    rate = next((metadata[key] for key in _RATE_KEYS if key in metadata), None)
    unit = next((metadata[key] for key in _UNIT_KEYS if key in metadata), b"")
    data = Table(
        np.stack(columns, axis=1), numeric, float(rate) if rate else None, unit.decode("latin-1")
    )
    return table_to_record(data, "parquet", findings, hint=part.name)


def _is_list(kind: pa.DataType) -> bool:
    checks = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(check(kind) for check in checks)


def _decimals_as_floats(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            values = table.column(place).cast(pa.float64())
            table = table.set_column(place, field.name, values)
    return table


def _times_as_seconds(table: pa.Table) -> pa.Table:
    """Return the table with moments and durations as seconds from the first of each column."""
    for place, field in enumerate(table.schema):
        if not (pa.types.is_timestamp(field.type) or pa.types.is_duration(field.type)):
            continue
        ticks = table.column(place).cast(pa.int64()).to_numpy().astype(np.float64)
        seconds = (ticks - ticks[0]) / _TICKS_PER_S[field.type.unit]
        table = table.set_column(place, "time (s)", pa.array(seconds))
    return table


def _nested(table: pa.Table) -> dict[str, Any]:
    """Return the columns of a table whose cells are lists: a recording, or a lead, in each row.

    Raises:
        InvalidRecordError: The lists are too many, or of different lengths.
    """
    check_count(sum(column.nbytes for column in table.columns) // 2)
    found: dict[str, Any] = {}
    for name in table.column_names:
        cells = table.column(name).to_pylist()
        try:
            array = np.array(cells[0] if len(cells) == 1 else cells)
        except ValueError as error:
            msg = f"column {name!r} holds lists of different lengths"
            raise InvalidRecordError(msg) from error
        is_repeated = array.ndim == 1 and array.size > 1 and len(set(array.tolist())) == 1
        found[name] = array[:1] if is_repeated and array.size == len(cells) else array
    return found


FORMATS = (Format("parquet", "Parquet", _recognises, _read, order=10),)
