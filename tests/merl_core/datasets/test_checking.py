import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from merl_core.cli import app
from merl_core.datasets.checking import check_records
from merl_core.datasets.checksums import SUMS, parse_checksums, sha256_of
from merl_core.datasets.manifest import read_manifest, write_manifest
from merl_core.datasets.mimic_iv_ecg import load_mimic_iv_ecg
from merl_core.errors import MerlError

Builder = Callable[..., Path]


def test_a_sound_copy_has_no_problems(mimic_folder: Path) -> None:
    report = check_records(load_mimic_iv_ecg(mimic_folder), mimic_folder)
    assert report["problems"] == []
    assert report["n_patients"] == 3
    assert report["fs"] == {"500": 6}
    assert list(report["lead_orders"]) == ["I II III aVR aVF aVL V1 V2 V3 V4 V5 V6"]
    assert report["signals"]["n_read"] == 6


def test_patients_in_two_splits_are_reported(mimic_folder: Path) -> None:
    data = load_mimic_iv_ecg(mimic_folder)
    leaky = replace(data, splits=("train", "val", *["train"] * 4))
    report = check_records(leaky, mimic_folder, sample=1)
    assert report["patients_in_several_splits"] == ["10000000"]


def test_what_is_wrong_is_named(
    tmp_path: Path, mimic_builder: Builder, record_writer: Callable[..., None]
) -> None:
    folder = mimic_builder(tmp_path, n_records=6)
    data = load_mimic_iv_ecg(folder)
    stems = [folder / path.removesuffix(".hea") for path in data.paths]
    stems[0].with_suffix(".hea").unlink()
    stems[1].with_suffix(".dat").unlink()
    leads = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
    signal = np.random.default_rng(0).normal(0, 0.5, (12, 5000)).astype(np.float32)
    for stem in stems[2:4]:
        record_writer(stem, signal, 500, leads)
    signal[3, 100:900] = np.nan
    record_writer(stems[4], signal, 500, leads)
    report = check_records(data, folder)
    problems = "\n".join(report["problems"])
    assert f"1 files are absent, the first: {data.paths[0]}" in problems
    assert f"signal file that is absent, the first: {data.paths[1]}" in problems
    assert f"cannot be used, the first: {data.paths[1]}: " in problems
    reasons = [item["reason"] for item in report["signals"]["unusable"]]
    assert "lead 'aVR' has no values for 1.60 s from sample 100" in reasons[1]
    assert "1 signals occur twice" in problems


def test_all_that_is_wrong_is_counted_though_few_are_shown(tmp_path: Path) -> None:
    (tmp_path / "b.hea").write_text("no header")
    paths = [*(f"{i}.hea" for i in range(30)), "b.hea"]
    (tmp_path / "m.csv").write_text("\n".join(["path", *paths]) + "\n")
    report = check_records(read_manifest(tmp_path / "m.csv"), tmp_path)
    assert report["problems"][:2] == [
        "30 files are absent, the first: 0.hea",
        "1 headers are broken, the first: b.hea",
    ]
    assert len(report["absent_files"]) == 20


def test_checksums_of_a_copy_are_compared(tmp_path: Path, mimic_builder: Builder) -> None:
    folder = mimic_builder(tmp_path, n_records=2)
    names = ["record_list.csv", "machine_measurements.csv"]
    sums = [f"{sha256_of(folder / name)} {name}" for name in names]
    (folder / SUMS).write_text("\n".join([*sums, f"{'0' * 64} files/x.dat"]) + "\n")
    result = CliRunner().invoke(app, ["data", "check", "mimic-iv-ecg", str(folder), "--checksums"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["checksums"] == {"n_files": 3, "n_absent": 1, "n_different": 0}


@pytest.mark.parametrize(
    "line", [f"{'0' * 64}  ../x", f"{'0' * 64} /etc/x", "zz file", f"{'0' * 64}"]
)
def test_paths_out_of_the_folder_and_broken_lines_are_refused(line: str) -> None:
    with pytest.raises(MerlError, match=r"sums\.txt, line 1"):
        parse_checksums(line, "sums.txt")


def test_a_published_manifest_reads_back_as_it_was(mimic_folder: Path, tmp_path: Path) -> None:
    data = load_mimic_iv_ecg(mimic_folder)
    write_manifest(data, tmp_path / "m.csv")
    back = read_manifest(tmp_path / "m.csv")
    assert (back.paths, back.patients) == (data.paths, data.patients)
    assert (back.reports, back.splits) == (data.reports, data.splits)
    assert back.labels == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "mimic", "."], "unknown data set 'mimic'"),
        (["check", "csn", "absent"], "ConditionNames_SNOMED-CT.csv"),
        (["check", "ptbxl_super", ".", "--fs", "250"], "not at 250"),
        (["manifest", "csn", ".", "-o", "x.csv", "--splits", "."], "name train, val or test"),
    ],
)
def test_commands_fail_with_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["data", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
