"""Tables in text: however a spreadsheet or a script writes twelve leads, they read the same."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.ecg_files import LEADS, microvolts
from merl_core.errors import InvalidRecordError
from merl_core.readers import read_files
from merl_core.records import Record, select_leads

UV = microvolts(fs=250, duration_s=10)
MV = UV / 1000
HEADER = ",".join(LEADS)


def lines(values: NDArray[np.generic], separator: str = ",") -> str:
    return "\n".join(separator.join(map(str, row)) for row in values.tolist())


def with_first_column(cells: list[str], values: NDArray[np.generic], separator: str = ",") -> str:
    rows = zip(cells, values.tolist(), strict=True)
    return "\n".join(separator.join([cell, *map(str, row)]) for cell, row in rows)


def read(text: str | bytes, name: str = "ecg.csv") -> Record:
    return read_files({name: text if isinstance(text, bytes) else text.encode()})


SECONDS = [f"{i / 250:.3f}" for i in range(2500)]
CLOCK = [f"'0:{i / 250:06.3f}'" for i in range(2500)]
DATES = [f"2024-01-02 03:04:{5 + i / 250:06.3f}" for i in range(2500)]
QUOTED = "','".join(LEADS)
NUMBERS = [str(i) for i in range(2500)]
PREFIXED = ",".join(f"lead_{lead.lower()}" for lead in LEADS)
TABLES = {
    "a header": f"{HEADER}\n{lines(MV.T)}",
    "no header": lines(MV.T),
    "windows line ends": f"{HEADER}\n{lines(MV.T)}".replace("\n", "\r\n"),
    "tabs and a time in seconds": "Time (s)\t"
    + "\t".join(f"{lead} [mV]" for lead in LEADS)
    + "\n"
    + with_first_column(SECONDS, MV.T, "\t"),
    "semicolons and decimal commas": HEADER.replace(",", ";")
    + "\n"
    + lines(MV.T, ";").replace(".", ","),
    "delimiters at the ends of lines": HEADER.replace(",", ";")
    + ";\n"
    + "\n".join(";".join(map(str, row)) + ";" for row in MV.T.tolist()),
    "columns aligned by spaces": HEADER.replace(",", " ")
    + "\n"
    + "\n".join("".join(f"{v:11.4f}" for v in row) for row in MV.T.tolist()),
    "quoted cells": f'"{HEADER}"'.replace(",", '","')
    + "\n"
    + "\n".join('"' + '","'.join(map(str, row)) + '"' for row in MV.T.tolist()),
    "a lead in each row": with_first_column(list(LEADS), MV),
    "a lead in each row, without names": lines(MV),
    "a sample number": "sample," + HEADER + "\n" + with_first_column(NUMBERS, MV.T),
    "an index without a name": "," + HEADER + "\n" + with_first_column(NUMBERS, MV.T),
    "rdsamp of WFDB": f"'Elapsed time','{QUOTED}'\n'hh:mm:ss.mmm'" + ",'mV'" * 12 + "\n"
    + with_first_column(CLOCK, MV.T),
    "dates and times": f"when,{HEADER}\n" + with_first_column(DATES, MV.T),
    "lower case with a prefix": f"{PREFIXED}\n{lines(MV.T)}",
    "Spanish limb leads": "DI,DII,DIII," + ",".join(LEADS[3:]) + "\n" + lines(MV.T),
    "volts, named": ",".join(f"{lead} (V)" for lead in LEADS) + "\n" + lines(MV.T / 1000),
    "microvolts": f"{HEADER}\n{lines(UV.T)}",
    "volts without a unit": HEADER + "\n" + lines(MV.T / 1000),
    "columns counted by pandas": ",".join(map(str, range(12))) + "\n" + lines(MV.T),
    "rows and columns counted by pandas": "," + ",".join(map(str, range(12))) + "\n"
    + with_first_column(NUMBERS, MV.T),
    "columns counted by R": ",".join(f"V{i + 1}" for i in range(12)) + "\n" + lines(MV.T),
    "words beside the leads": f"{HEADER},rhythm\n"
    + lines(MV.T).replace("\n", ",sinus\n") + ",sinus",
    "a remark after the table": f"{HEADER}\n{lines(MV.T)}\nend of file\n",
    "thousands grouped by commas": HEADER.replace(",", ";") + "\n"
    + "\n".join(";".join(f"{v:,}" for v in row) for row in UV.T.tolist()),
    "the mark of a spreadsheet": "sep=;\n" + HEADER.replace(",", ";") + "\n" + lines(MV.T, ";"),
    "remarks before the table": f"Sample Rate,250 hertz\nUnit,µV\n\n{HEADER}\n{lines(UV.T)}",
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_twelve_leads_read_the_same_from_a_table_with(name: str) -> None:
    record = read(TABLES[name])
    assert record.fs == 250
    assert np.allclose(select_leads(record, LEADS), MV, atol=1e-6)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1"])
def test_a_table_is_read_in_any_encoding(encoding: str) -> None:
    assert read(TABLES["a header"].encode(encoding)).sig_len == 2500


@pytest.mark.parametrize(
    "remark",
    [
        "# fs: 250", "# Sampling frequency: 250 Hz", "SampleRate=250", "# fs = 250, units = mV",
        "Abtastrate: 250 Hz", "//fs=250", "samples per second: 250", "Freq.: 250 Hz",
        "Sampling Interval (ms): 4", "# sample period = 4 ms", "# Fs [Hz]: 250.0",
    ],
)  # fmt: skip
def test_a_rate_is_taken_from_a_remark(remark: str) -> None:
    record = read(f"{remark}\n{HEADER}\n{lines(MV.T[:777])}")
    assert record.fs == 250
    assert "rate_assumed" not in [warning.code for warning in record.warnings]


def test_commas_after_a_lone_zero_are_decimal() -> None:
    text = HEADER.replace(",", ";") + "\n" + lines(MV.T.round(3), ";").replace(".", ",")
    assert np.allclose(select_leads(read(text), LEADS), MV, atol=1e-6)


def test_what_the_file_states_leaves_no_warning() -> None:
    assert read(TABLES["remarks before the table"]).warnings == ()


def test_what_the_file_does_not_state_leaves_warnings() -> None:
    codes = [warning.code for warning in read(TABLES["no header"]).warnings]
    assert codes == ["leads_assumed", "rate_assumed", "unit_assumed"]


def test_missing_cells_are_not_recorded_rather_than_zero() -> None:
    text = f"{HEADER}\n{lines(MV.T)}".replace("0.0,", ",", 3).replace("0.0,", "NaN,", 2)
    assert 0 < np.isnan(read(text).signal).sum() <= 5


def test_a_rate_in_the_file_name_is_used_with_a_warning() -> None:
    record = read(f"{HEADER}\n{lines(MV.T[:777])}", "patient_360Hz.csv")
    assert record.fs == 360
    assert "rate_assumed" in [warning.code for warning in record.warnings]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{HEADER}\n{lines(MV.T[:777])}", "unknown_rate"),
        (f"{HEADER}\n{lines(MV.T * 1e6)}", "unknown_unit"),
        (f"{HEADER}\n{lines(MV.T / 1e6)}", "unknown_unit"),
        (lines(MV.T[:, :3]), "unknown_leads"),
        ("a letter, with commas\nand lines\n1, 2\n", "unknown_format"),
    ],
    ids=["no rate", "too large for a voltage", "too small", "three columns", "prose"],
)
def test_what_cannot_be_known_is_refused_rather_than_guessed(text: str, code: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        read(text)
    assert caught.value.code == code
