from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from merl_core.datasets.catalog import load_dataset
from merl_core.datasets.cpsc2018 import load_cpsc2018
from merl_core.datasets.csn import load_csn
from merl_core.datasets.paper_splits import FILES, load_paper_split
from merl_core.errors import MerlError
from merl_core.readers import read_record

Writer = Callable[..., None]
SIGNAL = (np.sin(np.arange(5000) / 30) * np.linspace(0.5, 1.2, 12)[:, None]).astype(np.float32)
CONDITIONS = (
    "Acronym Name,Full Name,Snomed_CT\n"
    "AFIB,Atrial Fibrillation,164889003\nAF,Atrial Flutter,164890007\n"
    "1AVB,1 degree atrioventricular block,270492004\n"
)


@pytest.fixture
def csn(tmp_path: Path, record_writer: Writer) -> Path:
    (tmp_path / "ConditionNames_SNOMED-CT.csv").write_text(CONDITIONS)
    for name, dx in (("JS00001", "164889003"), ("JS00002", "164890007,270492004"), ("JS00004", "")):
        stem = tmp_path / "WFDBRecords/01/010" / name
        record_writer(stem, SIGNAL, comments=["Age: 85", "Sex: Male", f"Dx: {dx}"], mat=True)
    return tmp_path


@pytest.fixture
def cpsc(tmp_path: Path, record_writer: Writer) -> Path:
    for group, name, dx in (
        ("g1", "A0001", "59118001"),
        ("g1", "A0002", "164889003,164884008"),
        ("g2", "A1001", "39732003"),
    ):
        record_writer(tmp_path / group / name, SIGNAL, comments=[f"Dx: {dx}"], mat=True)
    return tmp_path


def positives(folder: Path, name: str) -> list[set[str]]:
    data = load_dataset(name, folder)
    rows = [{c for c, v in zip(data.labels, row, strict=True) if v} for row in data.y_true]
    return [rows[data.record_ids.index(i)] for i in sorted(data.record_ids)]


def test_flutter_and_fibrillation_are_told_apart_in_csn(csn: Path) -> None:
    assert positives(csn, "csn") == [{"AFIB"}, {"AF", "1AVB"}, set()]


def test_recordings_of_csn_are_read_from_their_mat_files(csn: Path) -> None:
    record = read_record(csn / load_csn(csn).paths[0])
    np.testing.assert_allclose(record.signal, SIGNAL, atol=0.0011)


def test_a_code_that_several_names_share_is_the_first_of_them(
    csn: Path, record_writer: Writer
) -> None:
    with (csn / "ConditionNames_SNOMED-CT.csv").open("a") as table:
        table.write(
            "LBBB,left bundle branch block,164909002\n"
            "LFBBB,left front bundle branch block,164909002\n"
            "MI,myocardial infarction,164865005\n"
            "MISW,Myocardial infraction in the side wall,164865005\n"
        )
    stem = csn / "WFDBRecords/01/010/JS00005"
    record_writer(stem, SIGNAL, comments=["Dx: 164909002,164865005"], mat=True)
    assert positives(csn, "csn")[-1] == {"LBBB", "MI"}


MERGED = "JS00002 12 500 500000/mV 16 0 15 31255 0 I\n"
"""The first two lines of a header without the line break between them, as two of CSN have it."""


def test_a_header_that_is_broken_where_it_is_published_leaves_its_recording_out(csn: Path) -> None:
    path = csn / "WFDBRecords/01/010/JS00002.hea"
    path.write_text(MERGED + "".join(path.read_text().splitlines(keepends=True)[2:]))
    data = load_csn(csn)
    assert data.record_ids == ("JS00001", "JS00004")
    assert data.notices == ("1 recordings with a broken header are left out: JS00002",)
    for one in csn.rglob("*.hea"):
        one.write_text(MERGED)
    with pytest.raises(MerlError, match="the header of every recording is broken"):
        load_csn(csn)


def test_a_broken_header_of_cpsc2018_leaves_its_recording_out(cpsc: Path) -> None:
    (cpsc / "g1/A0001.hea").write_text(MERGED)
    data = load_cpsc2018(cpsc)
    assert data.record_ids == ("A0002",)
    assert data.notices[1] == "1 recordings with a broken header are left out: A0001"


def test_csn_without_its_table_of_conditions_is_refused(csn: Path) -> None:
    (csn / "ConditionNames_SNOMED-CT.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MerlError, match="columns 'AcronymName' and 'Snomed_CT' are missing"):
        load_csn(csn)


def test_classes_of_cpsc2018_come_from_the_headers(cpsc: Path) -> None:
    assert positives(cpsc, "cpsc2018") == [{"CRBBB"}, {"AFIB", "VPC"}]
    assert load_cpsc2018(cpsc).notices[0].startswith("1 recordings without any")


def test_classes_of_cpsc2018_come_from_its_reference_file_where_there_is_one(cpsc: Path) -> None:
    (cpsc / "REFERENCE.csv").write_text(
        "Recording,First_label,Second_label,Third_label\nA0001,1,,\nA0002,8,9,\nA1001,4,,\n"
    )
    assert positives(cpsc, "cpsc2018") == [{"NORM"}, {"STD", "STE"}, {"CLBBB"}]


def test_a_wrong_class_number_is_named_by_line(cpsc: Path) -> None:
    heads = "Recording,First_label,Second_label,Third_label"
    (cpsc / "REFERENCE.csv").write_text(f"{heads}\nA0001,12,,\n")
    with pytest.raises(MerlError, match=r"REFERENCE.csv, line 2: class '12'"):
        load_cpsc2018(cpsc)


def test_split_files_find_the_recordings_of_cpsc2018_in_their_groups(cpsc: Path) -> None:
    splits = cpsc / "splits"
    path = splits / FILES["cpsc2018"].format("test")
    path.parent.mkdir(parents=True)
    codes = "AFIB,VPC,NORM,1AVB,CRBBB,STE,PAC,CLBBB,STD"
    head = f"patient_id,ecg_id,filename,validation,age,sex,scp_codes,{codes}"
    path.write_text(f"{head}\n7,7,A1001,False,61,0,{{}},0,0,0,0,0,0,0,1,0\n")
    data = load_paper_split("cpsc2018", "test", splits, cpsc)
    assert data.paths == ("g2/A1001.hea",)
    path.write_text(f"{head}\n7,7,A9999,False,61,0,{{}},0,0,0,0,0,0,0,1,0\n")
    with pytest.raises(MerlError, match="'A9999' of the split file is not below it"):
        load_paper_split("cpsc2018", "test", splits, cpsc)


FACTS = {"VB": (169, 0), "AVB": (169, 39), "AF": (987, 690), "ST": (1281, 1030)}
FACTS |= {"SA": (536, 395), "CR": (50, 12), "2AVB": (4, 3)}


def test_both_versions_of_the_csn_labels_have_the_known_counts(shared: Path) -> None:
    splits = shared / "data" / "merl_splits"
    file = load_paper_split("csn", "test", splits, labels="merl")
    exact = load_paper_split("csn", "test", splits, labels="exact")
    counts = dict(zip(file.labels, zip(file.y_true.sum(0), exact.y_true.sum(0), strict=True),
                      strict=True))  # fmt: skip
    differing = {code: pair for code, pair in counts.items() if pair[0] != pair[1]}
    assert differing == FACTS
    assert exact.notices == ("csn test: no positive recording of VB",)


@pytest.mark.parametrize(
    ("name", "n_test"),
    [
        ("ptbxl_super", 2158),
        ("ptbxl_sub", 2158),
        ("ptbxl_form", 880),
        ("ptbxl_rhythm", 2098),
        ("cpsc2018", 1376),
        ("csn", 4620),
    ],
)
def test_the_papers_split_files_are_read_whole(shared: Path, name: str, n_test: int) -> None:
    data = load_paper_split(name, "test", shared / "data" / "merl_splits")
    assert len(data) == n_test
    assert len(set(data.paths)) == n_test


def test_an_absent_split_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MerlError, match=r"split file 'icbeb/icbeb_val.csv' is not below it"):
        load_paper_split("cpsc2018", "val", tmp_path)


def test_labels_as_in_the_paper_need_its_files(csn: Path) -> None:
    with pytest.raises(MerlError, match="exist in the paper's split files only"):
        load_dataset("csn", csn, labels="merl")
