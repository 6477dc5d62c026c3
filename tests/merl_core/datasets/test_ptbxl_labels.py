from pathlib import Path

import pytest

from merl_core.datasets.manifest import read_table
from merl_core.datasets.paper_splits import load_paper_split
from merl_core.datasets.ptbxl_labels import LABEL_SETS, load_ptbxl_labels
from merl_core.errors import MerlError


@pytest.mark.parametrize("name", LABEL_SETS)
def test_labels_from_the_tables_equal_the_papers_files(shared: Path, name: str) -> None:
    folder = shared / "data" / "ptb-xl"
    made = load_ptbxl_labels(folder, name)
    table = read_table(folder / "ptbxl_database.csv", ["ecg_id", "scp_codes_source"])
    as_published = set(table["ecg_id"][table["scp_codes_source"] == "official"])
    row_of = {n: i for i, n in enumerate(made.record_ids) if n in as_published}
    n_same, n_other = 0, 0
    for split in ("train", "val"):
        theirs = load_paper_split(name, split, shared / "data" / "merl_splits")
        for i, number in enumerate(theirs.record_ids):
            if number in row_of:
                is_same = (made.y_true[row_of[number]] == theirs.y_true[i]).all()
                n_same, n_other = n_same + bool(is_same), n_other + (not is_same)
                assert made.splits[row_of[number]] == split
    assert n_same > 500
    assert n_other <= 1


def test_a_set_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MerlError, match="no label set 'ptbxl_axis'"):
        load_ptbxl_labels(tmp_path, "ptbxl_axis")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("1,2.0,1,{oops,,a", r"line 2: scp_codes '\{oops' is not a dictionary"),
        ("1,2.0,1,5,,a", "line 2: scp_codes '5' is not a dictionary"),
        ("1,2.0,x,{'SR': 0.0},,a", "line 2: strat_fold 'x', expected 1 to 10"),
        ("1,2.0,11,{'SR': 0.0},,a", "line 2: strat_fold '11', expected 1 to 10"),
    ],
)
def test_a_broken_row_is_named_by_line(tmp_path: Path, cells: str, message: str) -> None:
    (tmp_path / "ptbxl_database.csv").write_text(
        f"ecg_id,patient_id,strat_fold,scp_codes,report,filename_hr\n{cells}\n"
    )
    (tmp_path / "scp_statements.csv").write_text(",diagnostic,form,rhythm\nSR,,,1\n")
    with pytest.raises(MerlError, match=f"ptbxl_database.csv, {message}"):
        load_ptbxl_labels(tmp_path, "ptbxl_rhythm")
