from pathlib import Path

import numpy as np
import pytest

from merl_core.datasets.ptbxl import load_ptbxl, load_ptbxl_reports, load_ptbxl_zscored
from merl_core.errors import InvalidRecordError
from merl_core.records import STANDARD_LEADS

HEADER = "ecg_id,patient_id,report,scp_codes,strat_fold,filename_lr,super_class\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings of folds 1 and 10."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        rng.integers(-500, 500, (1000, 12)).astype("<i2").tofile(tmp_path / f"{name}.dat")
    rows = [
        "1,7.0,sinus,\"{'SR': 0.0, 'LVH': 50.0}\",1,a,HYP\n",
        "2,8.0,,\"{'NORM': 100.0}\",10,b,NORM\n",
    ]
    (tmp_path / "ptbxl_database.csv").write_text(HEADER + "".join(rows))
    return tmp_path


def test_statements_and_signals_are_joined(folder: Path) -> None:
    data = load_ptbxl(folder)
    assert data.signals.shape == (1, len(STANDARD_LEADS), 1000)
    assert data.scp_codes == (frozenset({"SR", "LVH"}),)
    assert data.superclasses == (frozenset({"HYP"}),)


def test_the_test_fold_is_loaded_only_when_named(folder: Path) -> None:
    assert load_ptbxl(folder).ecg_ids.tolist() == [1]
    assert load_ptbxl(folder, folds=[10]).ecg_ids.tolist() == [2]


def test_reports_come_with_their_codes_and_without_signals(folder: Path) -> None:
    found = load_ptbxl_reports(folder, folds=[1, 10])
    assert found.signals.shape == (1, 12, 0)
    assert found.reports == ("sinus",)
    assert found.scp_codes == (frozenset({"SR", "LVH"}),)


def test_a_table_of_further_reports_goes_first(folder: Path) -> None:
    rows = ["3,9.0,vorhofflimmern,{'AFIB': 0.0},4,,\n", "4,9.0,test,{'AFIB': 0.0},10,,\n"]
    (folder / "reports_without_waveforms_too.csv").write_text(HEADER + "".join(rows))
    assert load_ptbxl_reports(folder).reports == ("vorhofflimmern",)


def test_a_cut_off_recording_is_named(folder: Path) -> None:
    (folder / "a.dat").write_bytes(b"short!")
    with pytest.raises(InvalidRecordError, match=r"a.dat: 6 bytes, expected 24000"):
        load_ptbxl(folder)


def test_a_missing_column_is_named(folder: Path) -> None:
    (folder / "ptbxl_database.csv").write_text("ecg_id,strat_fold,filename_lr\n")
    with pytest.raises(InvalidRecordError, match="column 'scp_codes' is missing"):
        load_ptbxl(folder)


def test_the_limb_leads_of_z_scored_recordings_obey_einthoven_again(shared: Path) -> None:
    data = load_ptbxl_zscored(shared / "data" / "ptb-xl-zscored", folds=[9])
    one, two, three = data.signals[:, 0], data.signals[:, 1], data.signals[:, 2]
    assert np.abs(three - (two - one)).mean() < 0.001
    assert not data.has_voltage.any()
