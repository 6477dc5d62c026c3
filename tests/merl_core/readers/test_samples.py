"""Real and constructed files of every format: one recording, one answer."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from api.errors import problem_of
from merl_core.engine import EncodedRecord, Engine
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_record
from merl_core.readers.pool import ReaderPool
from merl_core.records import STANDARD_LEADS, Record, select_leads

CONSTRUCTED = {
    "bdf/e07500_uV.bdf": 0.1,
    "edf/e07500_mV.edf": 0.1,
    "edf/e07500_uV_edfplus.edf": 0.1,
    "fhir/bundle_e07500.json": 0.1,
    "fhir/observation_e07500_mV_origin0.5.json": 0.1,
    "fhir/observation_e07500_uV.json": 0.1,
    "hdf5/e07500_attrs.h5": 1.0,
    "hdf5/e07500_code_tracings.h5": 0.1,
    "hdf5/e07500_per_lead.h5": 0.1,
    "ishne/e07500.ecg": 0.5,
    "mfer/e07500.mwf": 0.5,
    "mortara_xml/e07500.xml": 0.5,
    "tabular/e07500.npz": 0.1,
    "tabular/e07500.parquet": 0.1,
    "tabular/e07500_12x5000.npy": 0.1,
    "tabular/e07500_5000x12.npy": 0.1,
    "tabular/e07500_cpsc_struct.mat": 0.1,
    "tabular/e07500_ecg_fs.mat": 0.1,
    "dicom/e07500_12lead_baseline.dcm": 1.0,
    "dicom/e07500_12lead_mdc_uV.dcm": 0.5,
    "dicom/e07500_ambulatory.dcm": 0.5,
    "dicom/e07500_general_ecg_4groups_of_3.dcm": 0.5,
    "dicom/e07500_general_ecg_mV.dcm": 0.5,
    "tabular/e07500.tsv": 0.1,
    "tabular/e07500_8lead_mV.csv": 0.1,
    "tabular/e07500_header_mV.csv": 0.1,
    "tabular/e07500_noheader_uV.csv": 0.1,
    "tabular/e07500_reordered_upper.csv": 0.1,
    "tabular/e07500_semicolon_decimalcomma.csv": 0.1,
    "tabular/e07500_time_uV.csv": 0.1,
    "wfdb/E07500_hea_mat_in_folder.zip": 0.1,
    "wfdb/e07500_16.hea": 0.1,
    "wfdb/e07500_16.zip": 0.1,
    "wfdb/e07500_212.hea": 0.5,
    "wfdb/e07500_flac.hea": 0.1,
    "wfdb/e07500_uV.hea": 0.1,
}
"""Largest difference from the reference in microvolts: half a step of the container."""


@pytest.fixture(scope="session")
def reference(shared: Path) -> tuple[NDArray[np.float32], list[str]]:
    folder = shared / "data/formats/_constructed"
    leads = json.loads((folder / "reference_leads.json").read_text())["leads"]
    return np.load(folder / "reference_mV_5000x12.npy").T, leads


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_every_container_of_one_recording_reads_the_same(
    name: str, shared: Path, reference: tuple[NDArray[np.float32], list[str]]
) -> None:
    signal, leads = reference
    record = read_record(shared / "data/formats/_constructed" / name)
    assert record.fs == 500
    read = [lead for lead in leads if lead in record.leads]
    expected = signal[[leads.index(lead) for lead in read]]
    worst = np.abs(select_leads(record, read) - expected).max() * 1000
    assert len(read) in (8, 12)
    assert worst <= CONSTRUCTED[name] + 0.01


PROMPTS = {
    text: text
    for text in (
        "left bundle branch block", "right bundle branch block", "atrial fibrillation",
        "normal ECG", "anterior myocardial infarction", "left ventricular hypertrophy",
        "sinus bradycardia", "premature ventricular contraction", "ST depression",
        "first degree AV block",
    )
}  # fmt: skip
TWINS = (
    "scp/ecgtoolkit_Example.scp",
    "dicom/ecgtoolkit_Example.dcm",
    "hl7_aecg/fda_hl7_example_aecg.xml",
)
"""One real recording in three containers."""


def scores_of(records: Sequence[Record]) -> NDArray[np.float64]:
    """Return the scores of the bundled model, a row a record."""
    engine = Engine("merl-base", "cpu")
    prepared = [engine.prepare(record) for record in records]
    features = engine.encode_windows(np.concatenate([windows for windows, _ in prepared]))
    assert len(features) == len(records)
    rows = [engine.score(EncodedRecord(row[None], ()), PROMPTS).scores for row in features]
    return np.array([[item.score for item in row] for row in rows])


@pytest.mark.slow
def test_every_container_of_one_recording_gets_the_same_scores(
    shared: Path, reference: tuple[NDArray[np.float32], list[str]]
) -> None:
    signal, leads = reference
    folder = shared / "data/formats/_constructed"
    names = (*CONSTRUCTED, "tabular/e07500_1000Hz.csv")
    records = [read_record(folder / name) for name in names]
    records += [read_record(shared / "data/formats" / name) for name in TWINS]
    expected, *rest = scores_of([Record(signal.copy(), tuple(leads), 500.0), *records])
    worst = dict(zip(names, np.abs(np.array(rest[:-3]) - expected).max(axis=1), strict=True))
    assert {name: apart for name, apart in worst.items() if apart > 1e-3} == {}
    np.testing.assert_allclose(rest[-2:], [rest[-3]] * 2, atol=1e-3)


def test_a_table_at_twice_the_rate_is_the_reference_between_its_samples(
    shared: Path, reference: tuple[NDArray[np.float32], list[str]]
) -> None:
    signal, leads = reference
    record = read_record(shared / "data/formats/_constructed/tabular/e07500_1000Hz.csv")
    assert record.fs == 1000
    assert np.abs(select_leads(record, leads)[:, ::2] - signal)[:, 50:-50].max() < 0.03


INVALID = {
    "empty.bin": "unknown_format",
    "npy_declares_8TiB.npy": "truncated_file",
    "random.bin": "unknown_format",
    "truncated_scp.scp": "truncated_file",
    "wfdb_traversal/big.hea": "truncated_file",
    "wfdb_traversal/rel.hea": "unsafe_file",
    "xml_billion_laughs_muse.xml": "unsafe_file",
}


@pytest.mark.parametrize("name", INVALID)
def test_a_hostile_or_broken_file_is_refused_with_its_code(name: str, shared: Path) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        read_record(shared / "data/formats/_invalid" / name)
    assert caught.value.code == INVALID[name]


def test_hostile_files_are_refused_in_little_memory(shared: Path) -> None:
    with ReaderPool(memory_mb=150) as pool:
        for name, code in INVALID.items():
            with pytest.raises(InvalidRecordError) as caught:
                pool.read_paths(shared / "data/formats/_invalid" / name)
            assert caught.value.code == code, name
            assert problem_of(caught.value)[1].status == (415 if code == "unknown_format" else 422)


REAL = {
    "dicom/ecgtoolkit_Example.dcm": ("dicom", 12, 5000, 500, 49, "M"),
    "dicom/pydicom_waveform_ecg.dcm": ("dicom", 12, 10000, 1000, 42, "F"),
    "hl7_aecg/fda_hl7_example_aecg.xml": ("hl7_aecg", 12, 5000, 500, 46, "M"),
    "hl7_aecg/liryc_hl7aecg_example.xml": ("hl7_aecg", 12, 1000, 100, None, None),
    "philips_sierra_xml/sierra_103_129DYPRG.XML": ("philips_sierra", 12, 5264, 500, 50, "M"),
    "philips_sierra_xml/sierra_104_3191723.xml": ("philips_sierra", 12, 5300, 500, 60, "M"),
    "philips_sierra_xml/sierra_104_ad4d3d80.xml": ("philips_sierra", 12, 5300, 500, 32, "F"),
    "scp/abtahi_ecg_20081029_105642_anon000010.scp": ("scp", 8, 6000, 600, 40, None),
    "scp/ecgtoolkit_Example.scp": ("scp", 12, 5000, 500, 49, "M"),
    "wfdb/E07501.hea": ("wfdb", 12, 5000, 500, 65, "M"),
    "wfdb/s0010_re.hea": ("wfdb", 15, 38400, 1000, 81, "F"),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_read_as_what_it_is(name: str, shared: Path) -> None:
    record = read_record(shared / "data/formats" / name)
    found = (record.format, len(record.leads), record.sig_len, record.fs, record.age_years)
    assert (*found, record.sex) == REAL[name]


def test_one_recording_in_scp_dicom_and_hl7_reads_the_same(shared: Path) -> None:
    records = [read_record(shared / "data/formats" / name) for name in TWINS]
    first, *others = [select_leads(record, STANDARD_LEADS) for record in records]
    for record, other in zip(records[1:], others, strict=True):
        assert np.nanmax(np.abs(first - other)) * 1000 <= 0.01, record.format
        assert np.isfinite(other).all()


def test_a_philips_calibration_pulse_is_cut_with_a_warning(shared: Path) -> None:
    folder = shared / "data/formats/philips_sierra_xml"
    record = read_record(folder / "sierra_104_3191723.xml")
    assert "calibration_pulse_removed" in [warning.code for warning in record.warnings]
    assert np.ptp(record.signal[:, -1]) > 0.02
