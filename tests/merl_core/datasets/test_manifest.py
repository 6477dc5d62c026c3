from pathlib import Path

import numpy as np
import pytest

from merl_core.datasets.manifest import read_manifest
from merl_core.errors import MerlError


def write(folder: Path, text: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text(text)
    return path


def test_binary_columns_are_classes_and_others_are_not(tmp_path: Path) -> None:
    text = "path,age,atrial fibrillation,comment,LBBB\na.hea,70,1,x,0\nb.hea,50,0,y,\n"
    manifest = read_manifest(write(tmp_path, text))
    assert manifest.labels == ("atrial fibrillation", "LBBB")
    assert manifest.ignored == ("comment",)
    np.testing.assert_array_equal(manifest.y_true, [[1, 0], [0, np.nan]])


def test_patients_are_the_paths_unless_given(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path, "path,AF\na,1\nb,0\n")).patients == ("a", "b")
    with_patients = "path,patient_id,AF\na,7,1\nb,7,0\n"
    assert read_manifest(write(tmp_path, with_patients)).patients == ("7", "7")


def test_a_missing_path_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(MerlError, match="column 'path' is missing, found 'file', 'AF'"):
        read_manifest(write(tmp_path, "file,AF\na,1\n"))


def test_an_absent_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(MerlError, match=r"absent.csv' cannot be read: No such file"):
        read_manifest(tmp_path / "absent.csv")


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MerlError, match="no recordings"):
        read_manifest(write(tmp_path, "path,AF\n"))
