import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from merl_core.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    result = run("simulate", "-n", 6, "--fs", 100, "--seed", 3, "-o", folder)
    assert result.exit_code == 0, result.output
    return folder


def test_simulated_files_come_with_a_manifest_and_can_be_evaluated(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    result = run(
        "evaluate", simulated / "manifest.csv", "--root", simulated,
        "--checkpoint", tiny_checkpoint, "--n-bootstraps", 20, "-o", report,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads(report.read_text())
    assert content["n_records"] == 6
    assert content["failed"] == []
    assert {"macro_auroc", "macro_auroc_ci", "classes"} <= content.keys()
    assert {"label", "auroc", "auroc_ci", "auprc", "n_positive"} <= content["classes"][0].keys()


def test_the_same_seed_writes_the_same_files(simulated: Path, tmp_path: Path) -> None:
    run("simulate", "-n", 6, "--fs", 100, "--seed", 3, "-o", tmp_path)
    for path in simulated.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_an_unknown_finding_is_one_line_and_status_2(tmp_path: Path) -> None:
    result = run("simulate", "--finding", "broken-heart", "-o", tmp_path)
    assert result.exit_code == 2
    assert "'broken-heart'" in result.output


def test_the_findings_that_can_be_simulated_are_listed() -> None:
    result = run("simulate", "--list")
    assert result.exit_code == 0, result.output
    assert "atrial-fibrillation\tatrial fibrillation" in result.output.splitlines()


def test_simulating_without_a_folder_says_what_to_do() -> None:
    result = run("simulate", "-n", 1)
    assert result.exit_code == 2
    assert "-o" in result.output


def test_reports_are_german_where_german_is_asked_for(tmp_path: Path) -> None:
    result = run(
        "simulate", "-n", 3, "--fs", 100, "--finding", "sinus-bradycardia",
        "--report-style", "german", "--noise", 0, "-o", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    with (tmp_path / "manifest.csv").open(encoding="utf-8") as stream:
        reports = [row["report"] for row in csv.DictReader(stream)]
    assert all("kard" in text.lower() for text in reports)


def test_embedding_writes_one_feature_a_recording(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    result = run(
        "embed", simulated / "manifest.csv", "--root", simulated,
        "--checkpoint", tiny_checkpoint, "-o", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    table = pq.read_table(tmp_path / "features.parquet")
    assert table.column_names == ["path", "features"]
    assert table.num_rows == 6
    features = table["features"].to_pylist()
    assert len(features[0]) == 24
    assert sum(value**2 for value in features[0]) == pytest.approx(1, abs=1e-5)


def test_a_recording_that_cannot_be_read_is_reported_and_the_rest_goes_on(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "some.csv"
    manifest.write_text("path,atrial fibrillation\nsim0.hea,1\nabsent.hea,0\nsim1.hea,0\n")
    result = run(
        "evaluate", manifest, "--root", simulated, "--checkpoint", tiny_checkpoint,
        "--n-bootstraps", 10, "-o", tmp_path / "r.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (failed,) = json.loads((tmp_path / "r.json").read_text())["failed"]
    assert failed["path"] == "absent.hea"


def test_a_prompt_set_without_a_class_is_refused(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    prompts = tmp_path / "set.json"
    prompts.write_text(json.dumps({"prompts": [{"label": "other", "text": "other"}]}))
    result = run(
        "evaluate", simulated / "manifest.csv", "--root", simulated, "--prompts", prompts,
        "--checkpoint", tiny_checkpoint,
    )  # fmt: skip
    assert result.exit_code == 2
    assert "no prompt for class" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "absent.csv"), "'absent.csv' cannot be read"),
        (("checkpoint", "show", "no-such"), "'no-such' is neither a folder nor a bundled name"),
        (("train", "absent.yaml"), "'absent.yaml' cannot be read"),
        (("checkpoint", "import", "absent.pth", "-o", "x"), "'absent.pth' cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_show_prints_what_a_checkpoint_is(tiny_checkpoint: Path) -> None:
    result = run("checkpoint", "show", tiny_checkpoint)
    content = json.loads(result.stdout)
    assert content["name"] == "tiny"
    assert len(content["sha256"]) == 64
    assert content["n_parameters"] > 1000


def test_bench_measures_all_backends_in_one_run(tiny_checkpoint: Path) -> None:
    result = run(
        "bench",
        "--checkpoint",
        tiny_checkpoint,
        "--batch-size",
        2,
        "--seconds",
        0.1,
        "--threads",
        1,
    )
    content = json.loads(result.stdout)
    measured = {"plain-float32", "torch-float32", "torch-bfloat16", "paper-resnet18-500hz"}
    assert measured <= content["ecg_per_s"].keys()
    assert content["ratio_to_plain_float32"]["plain-float32"] == 1
    assert content["cosine_to_plain_float32"]["torch-float32"] == pytest.approx(1, abs=1e-5)
    assert content["one_ecg_on_one_core"]["ratio_to_paper_resnet18"]["torch-float32"] > 0


@pytest.fixture(scope="module")
def split_manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 short recordings in three splits, half of them of one class."""
    folder = tmp_path_factory.mktemp("split")
    run("simulate", "-n", 36, "--fs", 100, "--duration-s", 3, "--seed", 3, "-o", folder)
    names = sorted(path.name for path in folder.glob("*.hea"))
    splits = ["train"] * 16 + ["val"] * 10 + ["test"] * 10
    rows = [f"{n},{i},{s},{i % 2}" for i, (n, s) in enumerate(zip(names, splits, strict=True))]
    manifest = folder / "split.csv"
    manifest.write_text("\n".join(["path,patient_id,split,atrial fibrillation", *rows]) + "\n")
    return manifest


def test_a_probe_and_its_report_run_from_the_command_line(
    split_manifest: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    common = ("--root", split_manifest.parent, "--checkpoint", tiny_checkpoint)
    result = run(
        "probe", split_manifest, *common, "--features", tmp_path / "f", "--n-bootstraps", 10,
        "-o", tmp_path / "probe.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    shares = json.loads((tmp_path / "probe.json").read_text())["shares"]
    assert [row["share"] for row in shares] == [0.01, 0.1, 1.0]
    assert shares[-1]["n_train"] == 16
    for name, extra in (("zero.json", ()), ("chance.json", ("--untrained",))):
        run(
            "evaluate", split_manifest, *common, "--split", "test", "--n-bootstraps", 10, *extra,
            "-o", tmp_path / name,
        )  # fmt: skip
    zero, chance = (json.loads((tmp_path / n).read_text()) for n in ("zero.json", "chance.json"))
    assert zero["n_records"] == 10
    assert chance["model"]["id"] == "tiny-untrained"
    result = run(
        "report", *(tmp_path / n for n in ("zero.json", "chance.json", "probe.json")),
        "-o", tmp_path / "figures",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert (tmp_path / "figures" / "zero_shot_and_probe.svg").is_file()


def test_a_probe_without_splits_says_what_it_needs(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    result = run(
        "probe", simulated / "manifest.csv", "--root", simulated, "--checkpoint", tiny_checkpoint,
        "--features", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 2
    assert "no column `split`" in " ".join(result.output.split())


def test_a_split_that_is_not_there_is_named(split_manifest: Path, tiny_checkpoint: Path) -> None:
    result = run("evaluate", split_manifest, "--split", "dev", "--checkpoint", tiny_checkpoint)
    assert result.exit_code == 2
    assert "no recording is in split 'dev'" in " ".join(result.output.split())


def test_a_manifest_without_its_column_and_an_absent_backend_are_one_line(
    tmp_path: Path, simulated: Path, tiny_checkpoint: Path
) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("file,a\nx,1\n")
    result = run("evaluate", manifest)
    assert result.exit_code == 2
    assert "column 'path' is missing, found 'file', 'a'" in " ".join(result.output.split())
    result = run(
        "embed", simulated / "manifest.csv", "-o", tmp_path, "--checkpoint", tiny_checkpoint,
        "--backend", "abacus",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "unknown backend 'abacus'" in " ".join(result.output.split())


@pytest.fixture
def other_set(split_manifest: Path, tmp_path: Path) -> Path:
    """The test recordings of the split under the codes of another data set."""
    lines = split_manifest.read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines if ",test," in line]
    manifest = tmp_path / "csn.csv"
    body = [f"{path},{patient},test,{flag},{1 - int(flag)}" for path, patient, _, flag in rows]
    manifest.write_text("\n".join(["path,patient_id,split,AF,ST", *body]) + "\n")
    return manifest


def probe_across(
    manifest: Path, other: Path, checkpoint: Path, features: Path, *extra: object
) -> Result:
    root = manifest.parent
    return run(
        "probe", manifest, "--root", root, "--checkpoint", checkpoint, "--features", features,
        "--transfer-root", root, "--transfer-to", other, "--n-bootstraps", 10, *extra,
    )  # fmt: skip


def test_a_probe_is_tested_on_another_set_by_the_concepts_that_both_have(
    split_manifest: Path, other_set: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """`AF` of CSN is atrial flutter: `AFLT` of PTB-XL's rhythms, and not `AFIB`."""
    ours = tmp_path / "rhythm.csv"
    lines = [line.split(",") for line in split_manifest.read_text().splitlines()[1:]]
    body = [f"{path},{who},{split},1,{flag},{1 - int(flag)}" for path, who, split, flag in lines]
    ours.write_text("\n".join(["path,patient_id,split,AFIB,AFLT,STACH", *body]) + "\n")
    for path in split_manifest.parent.iterdir():
        (tmp_path / path.name).symlink_to(path)
    result = probe_across(
        ours, other_set, tiny_checkpoint, tmp_path / "f", "-o", tmp_path / "transfer.json",
        "--label-set", "ptbxl_rhythm", "--transfer-label-set", "csn",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "transfer.json").read_text())
    assert (found["kind"], found["tested_on"]) == ("transfer", "csn")
    last = found["runs"][-1]
    assert [row["label"] for row in last["classes"]] == ["AFLT", "STACH"]
    assert (last["n_train"], last["n_test"]) == (16, 10)


def test_sets_without_a_common_class_or_a_test_split_are_refused(
    split_manifest: Path, other_set: Path, simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    for other, message in (
        (other_set, "the two data sets share no class"),
        (simulated / "manifest.csv", "no recording is in split 'test'"),
        (tmp_path / "absent.csv", "absent.csv' cannot be read"),
    ):
        result = probe_across(split_manifest, other, tiny_checkpoint, tmp_path / "f")
        assert result.exit_code == 2
        assert message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "probe"])
@pytest.mark.parametrize(
    ("head", "row", "message"),
    [
        ("file,split,a", "x.hea,test,1", "column 'path' is missing"),
        ("path,split", "x.hea,val", "the manifest has no class"),
        ("path,split,a", "x.hea,val,1", "x.hea' does not exist"),
    ],
)
def test_each_measurement_names_the_column_or_file_that_is_missing(
    tiny_checkpoint: Path, tmp_path: Path, command: str, head: str, row: str, message: str
) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text(f"{head}\n{row}\n")
    extra = {
        "evaluate": [],
        "calibrate": ["--name", "x", "-o", tmp_path / "c"],
        "probe": ["--features", tmp_path / "f"],
    }[command]
    result = run(command, manifest, "--root", tmp_path, "--checkpoint", tiny_checkpoint, *extra)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "probe"])
def test_each_measurement_says_which_columns_it_takes_for_no_class(
    tiny_checkpoint: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "m.csv").write_text("path,split,a,b\nx.hea,val,1,yes\n")
    extra = {
        "evaluate": [],
        "calibrate": ["--name", "x", "-o", tmp_path / "c"],
        "probe": ["--features", tmp_path / "f"],
    }[command]
    result = run(command, tmp_path / "m.csv", "--checkpoint", tiny_checkpoint, *extra)
    assert "columns without 0/1 values are ignored: b" in result.stderr


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "probe"])
def test_each_measurement_says_which_classes_of_a_set_have_no_column(
    tiny_checkpoint: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "m.csv").write_text("path,split,NORM,HYP,CD\nx.hea,val,1,0,1\n")
    extra = {
        "evaluate": [],
        "calibrate": ["--name", "x", "-o", tmp_path / "c"],
        "probe": ["--features", tmp_path / "f"],
    }[command]
    result = run(
        command, tmp_path / "m.csv", "--checkpoint", tiny_checkpoint,
        "--label-set", "ptbxl_super", *extra,
    )  # fmt: skip
    assert "classes of ptbxl_super without a column are left out: MI, STTC" in result.stderr


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "probe", "embed", "bulk"])
def test_each_measurement_names_the_file_of_a_damaged_checkpoint(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path, command: str
) -> None:
    (tiny_checkpoint / "model.safetensors").write_bytes(b"torn")
    out = ["-o", tmp_path / "out"]
    extra = {
        "evaluate": ["--bare"],
        "calibrate": ["--name", "x", *out],
        "probe": ["--features", tmp_path / "f"],
        "embed": out,
        "bulk": ["--labels", "atrial fibrillation", *out],
    }[command]
    words = ["bulk", "classify"] if command == "bulk" else [command]
    result = run(
        *words, simulated / "manifest.csv", "--root", simulated, "--checkpoint", tiny_checkpoint,
        *extra,
    )  # fmt: skip
    assert result.exit_code == 2
    assert f"{tiny_checkpoint}/model.safetensors: not a complete safetensors file" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_report_that_cannot_be_written_is_one_line(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = run(
        "evaluate", simulated / "manifest.csv", "--root", simulated, "--bare", "--n-bootstraps", 10,
        "--checkpoint", tiny_checkpoint, "-o", tmp_path / "file" / "report.json",
    )  # fmt: skip
    assert result.exit_code == 2
    assert f"'{tmp_path}/file'" in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "is not JSON"), ("[1, 2]", "does not hold a label and a text for each prompt")],
)
def test_a_file_that_is_no_prompt_set_is_named(
    simulated: Path, tmp_path: Path, content: str, message: str
) -> None:
    prompts = tmp_path / "set.json"
    prompts.write_text(content)
    result = run("evaluate", simulated / "manifest.csv", "--prompts", prompts)
    assert result.exit_code == 2
    assert f"{str(prompts)!r} {message}" in result.stderr


def test_features_are_computed_once_also_where_a_recording_cannot_be_read(
    split_manifest: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "with-absent.csv"
    manifest.write_text(split_manifest.read_text() + "absent.hea,99,train,1\n")
    call = ["probe", manifest, "--root", split_manifest.parent, "--checkpoint", tiny_checkpoint]
    call += ["--features", tmp_path / "f", "--n-bootstraps", 10, "-o"]
    first = run(*call, tmp_path / "one.json")
    assert first.exit_code == 0, first.output
    monkeypatch.setattr("merl_core.embed.encode_manifest", lambda *_: pytest.fail("encoded again"))
    again = run(*call, tmp_path / "two.json")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
