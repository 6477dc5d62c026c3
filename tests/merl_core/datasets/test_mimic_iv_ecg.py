from collections.abc import Callable
from pathlib import Path

import pytest

from merl_core.datasets.checking import patient_overlap
from merl_core.datasets.manifest import split_by_patient
from merl_core.datasets.mimic_iv_ecg import clean_report, load_mimic_iv_ecg
from merl_core.errors import MerlError
from merl_core.readers import read_record


def test_reports_are_joined_by_study_and_not_by_row(mimic_folder: Path) -> None:
    data = load_mimic_iv_ecg(mimic_folder)  # its tables are in opposite orders
    table = (mimic_folder / "machine_measurements.csv").read_text().splitlines()
    for study, report in zip(data.record_ids, data.reports, strict=True):
        row = next(line for line in table if line.split(",")[1] == study)
        assert report.split("ecg: ")[1][:25].rstrip(".") in row.lower().replace("ekg", "ecg")


def test_paths_lead_to_recordings_in_the_order_of_the_data_set(mimic_folder: Path) -> None:
    data = load_mimic_iv_ecg(mimic_folder)
    record = read_record(mimic_folder / data.paths[0])
    assert record.fs == 500
    assert record.leads[4:6] == ("aVF", "aVL")


def test_all_recordings_of_a_patient_are_in_one_split(mimic_folder: Path) -> None:
    data = load_mimic_iv_ecg(mimic_folder)
    assert len(set(data.patients)) * 2 == len(data)
    assert patient_overlap(data) == []


def test_a_patients_split_stays_when_patients_are_added() -> None:
    shares = (("val", 0.3), ("train", 1.0))
    few = [str(i) for i in range(50)]
    many = [str(i) for i in range(200)]
    splits = split_by_patient(few, shares, "x")
    assert splits == split_by_patient(many, shares, "x")[:50]
    assert 5 < splits.count("val") < 25


def test_short_and_absent_reports_are_left_out_and_counted(
    tmp_path: Path, mimic_builder: Callable[..., Path]
) -> None:
    folder = mimic_builder(tmp_path, n_records=4)
    table = folder / "machine_measurements.csv"
    head, *rows = table.read_text().splitlines()
    first = rows[0].split(",")
    short = ",".join([*first[:4], "Sinus rhythm", *[""] * 17, "0", "", "1"])
    table.write_text("\n".join([head, short, *rows[2:]]) + "\n")
    data = load_mimic_iv_ecg(folder)
    assert len(data) == 2
    assert data.notices == (
        "1 recordings without a row in machine_measurements.csv are left out",
        "1 recordings with reports of fewer than 4 words are left out",
    )


def test_a_study_named_twice_is_refused(tmp_path: Path, mimic_builder: Callable[..., Path]) -> None:
    folder = mimic_builder(tmp_path, n_records=2)
    with (folder / "record_list.csv").open("a") as stream:
        stream.write("10000000,40000000,1,2180,files/x\n")
    with pytest.raises(MerlError, match="study_id '40000000' is named twice"):
        load_mimic_iv_ecg(folder)


def test_a_missing_column_is_named(tmp_path: Path, mimic_builder: Callable[..., Path]) -> None:
    folder = mimic_builder(tmp_path, n_records=2)
    (folder / "record_list.csv").write_text("subject_id,path\n1,a\n")
    with pytest.raises(MerlError, match=r"record_list.csv: column 'study_id' is missing"):
        load_mimic_iv_ecg(folder)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Sinus rhythm", "", "Normal EKG"], "sinus rhythm. normal ecg."),
        (["*** ANTERIOR INFARCT - POSSIBLY ACUTE ***"], "anterior infarct - possibly acute."),
        (["--- Warning: data quality ---", " "], "warning: data quality."),
        (["Sinus\trhythm\n with  PVCs"], "sinus rhythm with pvcs."),
        (["", ""], ""),
    ],
)
def test_a_report_is_cleaned_as_documented(lines: list[str], expected: str) -> None:
    assert clean_report(lines) == expected
