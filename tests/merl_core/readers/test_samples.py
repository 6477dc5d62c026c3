"""Real and constructed files of every format: one recording, one answer."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from merl_core.errors import InvalidRecordError
from merl_core.readers import read_record
from merl_core.records import select_leads

CONSTRUCTED = {
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


INVALID = {
    "empty.bin": "unknown_format",
    "random.bin": "unknown_format",
    "truncated_scp.scp": "truncated_file",
    "wfdb_traversal/big.hea": "truncated_file",
    "wfdb_traversal/rel.hea": "unsafe_file",
}


@pytest.mark.parametrize("name", INVALID)
def test_a_hostile_or_broken_file_is_refused_with_its_code(name: str, shared: Path) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        read_record(shared / "data/formats/_invalid" / name)
    assert caught.value.code == INVALID[name]
