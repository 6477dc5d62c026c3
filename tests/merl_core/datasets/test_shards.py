import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from merl_core.cli import app
from merl_core.datasets.manifest import Manifest, write_manifest
from merl_core.datasets.mimic_iv_ecg import load_mimic_iv_ecg
from merl_core.datasets.prepared import PreparedSet, minmax
from merl_core.datasets.shards import Layout, write_shards
from merl_core.errors import MerlError
from merl_core.model import MERL_LEADS, SignalConfig
from merl_core.preprocess import merl_minmax
from merl_core.readers import read_record
from merl_core.records import STANDARD_LEADS, select_leads

RAW = Layout(STANDARD_LEADS, 500.0, 10.0, None, None)
SIGNAL = SignalConfig(fs=500, low_hz=None, high_hz=None)


@pytest.fixture(scope="module")
def data(mimic_folder: Path) -> Manifest:
    return load_mimic_iv_ecg(mimic_folder)


@pytest.fixture(scope="module")
def folder(mimic_folder: Path, data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shards")
    write_shards(data, mimic_folder, out, RAW, shard_size=4)
    return out


def test_prepared_signals_are_the_recordings(
    folder: Path, data: Manifest, mimic_folder: Path
) -> None:
    prepared = PreparedSet(folder, SIGNAL)
    assert prepared.record_ids == list(data.record_ids)
    assert prepared.reports == list(data.reports)
    for row in (0, 5):
        record = read_record(mimic_folder / data.paths[row])
        expected = torch.from_numpy(select_leads(record, STANDARD_LEADS))
        torch.testing.assert_close(prepared.signals([row])[0], expected, atol=5e-4, rtol=0)


def test_leads_come_in_the_order_of_the_model(folder: Path) -> None:
    one = PreparedSet(folder, SIGNAL).signals([1])[0]
    other = PreparedSet(folder, SIGNAL.model_copy(update={"leads": MERL_LEADS})).signals([1])[0]
    torch.testing.assert_close(other[4], one[5])
    torch.testing.assert_close(other[5], one[4])


def test_the_papers_scaling_is_that_of_single_recordings(folder: Path) -> None:
    x = PreparedSet(folder, SIGNAL).signals([0, 3])
    scaled = PreparedSet(folder, SIGNAL.model_copy(update={"normalization": "merl_minmax"}))
    expected = np.stack([merl_minmax(one) for one in x.numpy()])
    np.testing.assert_array_equal(scaled.signals([0, 3]).numpy(), expected)
    np.testing.assert_array_equal(minmax(x).numpy(), expected)


def test_workers_write_the_same_bytes(
    folder: Path, data: Manifest, mimic_folder: Path, tmp_path: Path
) -> None:
    write_shards(data, mimic_folder, tmp_path, RAW, shard_size=4, n_workers=2)
    for path in folder.glob("*.i16"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_an_interrupted_preparation_goes_on(
    folder: Path, data: Manifest, mimic_folder: Path, tmp_path: Path
) -> None:
    whole = write_shards(data, mimic_folder, tmp_path, RAW, shard_size=2)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "shard-00001.json").unlink()
    (tmp_path / "shard-00002.i16").write_bytes(b"cut off")
    (tmp_path / "shard-00002.json").write_text("{")
    kept = (tmp_path / "shard-00000.i16").stat().st_mtime_ns
    again = write_shards(data, mimic_folder, tmp_path, RAW, shard_size=2)
    assert again == whole
    assert (tmp_path / "shard-00000.i16").stat().st_mtime_ns == kept
    PreparedSet(tmp_path, SIGNAL).verify()


def test_shards_of_another_layout_are_not_kept(
    data: Manifest, mimic_folder: Path, tmp_path: Path
) -> None:
    write_shards(data, mimic_folder, tmp_path, RAW, shard_size=6)
    before = (tmp_path / "shard-00000.i16").read_bytes()
    write_shards(data, mimic_folder, tmp_path, replace(RAW, low_hz=0.5), shard_size=6)
    assert (tmp_path / "shard-00000.i16").read_bytes() != before


def test_recordings_that_cannot_be_used_are_left_out_and_named(
    tmp_path: Path, mimic_builder: Callable[..., Path], record_writer: Callable[..., None]
) -> None:
    root = mimic_builder(tmp_path / "mimic", n_records=6)
    data = load_mimic_iv_ecg(root)
    stems = [root / path.removesuffix(".hea") for path in data.paths]
    signal = np.random.default_rng(0).normal(0, 0.5, (12, 5000)).astype(np.float32)
    record_writer(stems[0], signal[:, :2000], 200, MERL_LEADS)
    holed = signal.copy()
    holed[6, 1000:2000] = np.nan
    record_writer(stems[1], holed, 500, MERL_LEADS)
    loud = signal.copy()
    loud[2, 77] = 100.0
    record_writer(stems[2], loud, 500, MERL_LEADS)
    stems[3].with_suffix(".hea").unlink()
    short = signal.copy()
    short[6, 1000:1040] = np.nan  # 80 ms
    record_writer(stems[4], short, 500, MERL_LEADS)
    content = write_shards(data, root, tmp_path / "out", RAW)
    reasons = {item["code"]: item["reason"] for item in content["failed"]}
    assert content["n_records"] == 2
    assert "200 samples per second, expected 500" in reasons["wrong_rate"]
    assert "lead 'V1' has no values for 2.00 s from sample 1000" in reasons["not_finite"]
    assert "lead 'III' reaches 100.0 mV at sample 77" in reasons["out_of_range"]
    assert "absent" in reasons
    prepared = PreparedSet(tmp_path / "out", SIGNAL)
    assert prepared.record_ids == [data.record_ids[4], data.record_ids[5]]
    assert not bool((prepared.signals([0]).std(dim=2) == 0).any())


def test_another_rate_is_resampled_where_that_is_asked_for(
    data: Manifest, mimic_folder: Path, tmp_path: Path
) -> None:
    layout = replace(RAW, fs=250.0, resample=True)
    write_shards(data, mimic_folder, tmp_path, layout)
    assert PreparedSet(tmp_path, SIGNAL.model_copy(update={"fs": 250.0})).signals([0]).shape == (
        1, 12, 2500,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "manifest.json").unlink(), "its preparation is unfinished"),
        (lambda f: (f / "shard-00000.i16").unlink(), "shard-00000.i16' is absent"),
        (lambda f: (f / "shard-00000.i16").write_bytes(b"x"), "has 1 bytes, expected"),
        (lambda f: (f / "records.parquet").write_bytes(b"x"), "records.parquet: cannot be read"),
        (lambda f: (f / "manifest.json").write_text("{}"), "format version None"),
        (lambda f: (f / "manifest.json").write_text("[]"), "format version None"),
        (
            lambda f: (f / "manifest.json").write_text('{"format_version": 1}'),
            "field 'layout' is missing",
        ),
        (
            lambda f: (f / "manifest.json").write_text(
                '{"format_version": 1, "layout": {"leads": []}, "shards": [], "records": {}}'
            ),
            "field 'fs' is missing",
        ),
    ],
)
def test_a_damaged_folder_is_named(
    data: Manifest,
    mimic_folder: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    message: str,
) -> None:
    write_shards(data.select([0, 1]), mimic_folder, tmp_path, RAW)
    damage(tmp_path)
    with pytest.raises(MerlError) as caught:
        PreparedSet(tmp_path, SIGNAL)
    assert message in str(caught.value)


def test_changed_bytes_are_found(data: Manifest, mimic_folder: Path, tmp_path: Path) -> None:
    write_shards(data.select([0, 1]), mimic_folder, tmp_path, RAW)
    path = tmp_path / "shard-00000.i16"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(MerlError, match="sha256 is not the one"):
        PreparedSet(tmp_path, SIGNAL).verify()
    result = CliRunner().invoke(app, ["data", "verify", str(tmp_path)])
    assert result.exit_code == 2
    assert "shard-00000.i16: sha256 is not the one in manifest.json" in result.stderr


def test_the_command_prepares_for_a_recipe(
    data: Manifest, mimic_folder: Path, tmp_path: Path
) -> None:
    write_manifest(data, tmp_path / "m.csv")
    recipe = tmp_path / "r.yaml"
    recipe.write_text("objective: pairs\nname: r\nmodel: {signal: {fs: 500}}\n")
    result = CliRunner().invoke(
        app,
        ["data", "prepare", str(tmp_path / "m.csv"), "--root", str(mimic_folder), "--config",
         str(recipe), "-o", str(tmp_path / "out"), "--workers", "1"],
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["n_records"] == 6
    verified = CliRunner().invoke(app, ["data", "verify", str(tmp_path / "out")])
    assert json.loads(verified.stdout)["n_records"] == 6


def test_no_usable_recording_is_an_error(data: Manifest, tmp_path: Path) -> None:
    with pytest.raises(MerlError, match="no recording can be used; the first"):
        write_shards(data, tmp_path / "nowhere", tmp_path / "out", RAW)


def test_classes_are_kept_with_the_recordings_that_could_be_used(
    mimic_folder: Path, data: Manifest, tmp_path: Path
) -> None:
    y_true = np.array([[1, 0], [0, 1], [np.nan, 1], [0, 0], [1, 1], [0, 1]], dtype=float)
    paths = (data.paths[0], "absent", *data.paths[2:])
    table = replace(data, paths=paths, labels=("MI", "NORM"), y_true=y_true)
    write_manifest(table, tmp_path / "m.csv")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "objective: pairs\nname: r\nmodel: {signal: {fs: 500, low_hz: null, high_hz: null}}\n"
    )
    call = ["data", "prepare", str(tmp_path / "m.csv"), "--root", str(mimic_folder)]
    call += ["--config", str(recipe), "--workers", "1", "-o", str(tmp_path / "s"), "--label-set"]
    result = CliRunner().invoke(app, [*call, "ptbxl_super"])
    assert result.exit_code == 0, result.stderr
    prepared = PreparedSet(tmp_path / "s", SIGNAL)
    assert (prepared.labels, prepared.label_set) == (("MI", "NORM"), "ptbxl_super")
    np.testing.assert_array_equal(prepared.y_true, np.delete(y_true, 1, axis=0))
    result = CliRunner().invoke(app, [*call, "ptbxl_rhythm"])
    assert result.exit_code == 2
    assert "'MI'" in result.stderr
