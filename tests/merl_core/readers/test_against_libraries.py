"""Development only: our samples against those of an independent reader of the same real file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.waveforms import multiplex_array

from merl_core.readers import formats, read_record
from merl_core.records import canonical_lead


@pytest.fixture(scope="module")
def rdrecord() -> Callable[[str], Any]:
    """wfdb's own reader; `formats` imports wfdb with its warnings silenced."""
    formats()
    import wfdb

    return wfdb.rdrecord


@pytest.mark.parametrize("folder", ["records100", "records500"])
def test_ptb_xl_reads_as_wfdb_reads_it(
    folder: str, shared: Path, rdrecord: Callable[[str], Any]
) -> None:
    headers = sorted((shared / "data/ptb-xl" / folder).rglob("*.hea"))[::60]
    assert headers
    for header in headers:
        expected = rdrecord(str(header.with_suffix("")))
        record = read_record(header)
        assert record.leads == tuple(map(canonical_lead, expected.sig_name))
        assert record.fs == expected.fs
        assert np.array_equal(record.signal, expected.p_signal.T.astype(np.float32), equal_nan=True)


@pytest.mark.parametrize("name", ["E07501", "s0010_re"])
def test_other_wfdb_records_read_as_wfdb_reads_them(
    name: str, shared: Path, rdrecord: Callable[[str], Any]
) -> None:
    path = shared / "data/formats/wfdb" / name
    expected = rdrecord(str(path))
    record = read_record(path.with_suffix(".hea"))
    assert np.array_equal(record.signal, expected.p_signal.T.astype(np.float32), equal_nan=True)


@pytest.mark.parametrize("name", ["ecgtoolkit_Example.dcm", "pydicom_waveform_ecg.dcm"])
def test_dicom_reads_as_pydicom_reads_it(name: str, shared: Path) -> None:
    path = shared / "data/formats/dicom" / name
    expected = multiplex_array(pydicom.dcmread(path), 0, as_raw=False).T / 1000
    record = read_record(path)
    known = np.isfinite(record.signal)
    assert known.mean() > 0.99
    assert np.allclose(record.signal[known], expected[known], atol=1e-6)


@pytest.mark.parametrize(
    "name", ["edf/e07500_uV_edfplus.edf", "edf/e07500_mV.edf", "bdf/e07500_uV.bdf"]
)
def test_edf_reads_as_pyedflib_reads_it(name: str, shared: Path) -> None:
    pyedflib = pytest.importorskip("pyedflib")
    path = shared / "data/formats/_constructed" / name
    with pyedflib.EdfReader(str(path)) as reader:
        scale = {"uV": 1e-3, "mV": 1.0}[reader.getPhysicalDimension(0).strip()]
        expected = np.stack([reader.readSignal(i) for i in range(reader.signals_in_file)]) * scale
    assert np.allclose(read_record(path).signal, expected, atol=1e-6)


def test_sierra_reads_as_sierraecg_reads_it(shared: Path) -> None:
    sierraecg = pytest.importorskip("sierraecg")
    path = shared / "data/formats/philips_sierra_xml/sierra_104_3191723.xml"
    leads = sierraecg.read_file(str(path)).leads
    record = read_record(path)
    expected = np.stack([lead.samples[: record.sig_len] for lead in leads]) / 200
    assert np.allclose(record.signal, expected, atol=1e-6)
