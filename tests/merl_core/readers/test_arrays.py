"""Arrays with names: columns of records, lists in Parquet, gains beside whole numbers."""

import gzip
import io
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io

from benchmarks.ecg_files import LEADS, microvolts
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_files
from merl_core.records import select_leads

UV = microvolts(250, 10)
MV = UV / 1000
FIELDS = np.rec.fromarrays(list(MV), names=list(LEADS))


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def npy_of_version_3(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=(3, 0))
    return out.getvalue()


def as_pandas_fixes(file: Any) -> None:
    """Write a frame as `DataFrame.to_hdf` does, its columns in no standard order."""
    names = np.array(LEADS[::-1], dtype="S")
    arrays = {"axis0": names, "axis1": np.arange(2500), "block0_items": names}
    for name, array in {**arrays, "block0_values": MV[::-1].T}.items():
        file[f"ecg/{name}"] = array


def hdf5(write: Callable[[Any], object]) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        write(file)
    return out.getvalue()


def parquet(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


FILES = {
    "a structured array": npy(FIELDS),
    "big endian": npy(MV.astype(">f4")),
    "column major": npy(np.asfortranarray(MV.T)),
    "a table of HDF5": hdf5(lambda file: file.create_dataset("ecg", data=FIELDS)),
    "one row of lists": parquet({lead: [MV[i].tolist()] for i, lead in enumerate(LEADS)}),
    "a row of a list for each lead": parquet(
        {"lead": list(LEADS), "signal": MV.tolist(), "fs": [250] * 12}
    ),
    "version 3 of NPY": npy_of_version_3(MV),
    "a frame of pandas in HDF5": hdf5(as_pandas_fixes),
    "lists of one length": parquet(
        {lead: pa.array([MV[i]], pa.list_(pa.float64(), 2500)) for i, lead in enumerate(LEADS)}
    ),
    "decimal numbers": parquet(
        {lead: pa.array(MV[i].round(3)).cast(pa.decimal128(9, 3)) for i, lead in enumerate(LEADS)}
    ),
    "a gain beside whole numbers": npz(
        ecg=np.round(MV * 200).astype(np.int16), gain=200, fs=250, leads=np.array(LEADS)
    ),
    "gzip": gzip.compress(npy(MV)),
}


@pytest.mark.parametrize("name", FILES)
def test_twelve_leads_read_the_same_from(name: str) -> None:
    record = read_files({"a.bin": FILES[name]})
    assert record.fs == 250
    assert np.allclose(select_leads(record, LEADS), MV, atol=0.0026)


def test_gzip_that_unpacks_to_far_more_is_refused() -> None:
    with pytest.raises(InvalidRecordError) as caught:
        read_files({"a.csv.gz": gzip.compress(bytes(20_000_000))})
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    "content",
    [gzip.compress(npy(MV))[:-500], gzip.compress(gzip.compress(npy(MV))), b"\x1f\x8b\x08" * 9],
    ids=["cut short", "twice", "broken"],
)
def test_gzip_that_is_no_single_whole_file_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        read_files({"a.gz": content})
    assert caught.value.code == "broken_file"


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidRecordError, match="different lengths"):
        read_files({"a": parquet({"lead": ["I", "II"], "signal": [[1.0, 2.0], [1.0]]})})


def test_recordings_of_cpsc2018_are_read_at_its_rate_which_no_field_says() -> None:
    out = io.BytesIO()
    scipy.io.savemat(out, {"ECG": {"sex": "Male", "age": 74.0, "data": MV}})
    record = read_files({"A0001.mat": out.getvalue()})
    assert (record.fs, record.sex, record.age_years) == (500, "M", 74)
    assert np.allclose(select_leads(record, LEADS), MV)
    assert "rate_assumed" in {warning.code for warning in record.warnings}
    out = io.BytesIO()
    scipy.io.savemat(out, {"ECG": {"sex": "Male", "data": MV[:, :2345]}})
    with pytest.raises(InvalidRecordError, match="no sampling rate"):
        read_files({"A0001.mat": out.getvalue()})
