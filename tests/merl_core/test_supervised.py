import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from merl_core.cli import app
from merl_core.datasets.manifest import Manifest
from merl_core.datasets.prepared import PreparedSet
from merl_core.datasets.shards import Layout, write_shards
from merl_core.errors import MerlError
from merl_core.model import EcgConfig, ModelConfig, SignalConfig
from merl_core.records import STANDARD_LEADS
from merl_core.supervised import SignalData, SupervisedRecipe, supervised

TINY = ModelConfig(
    signal=SignalConfig(window_s=1.0),
    ecg=EcgConfig(depths=(1, 1), widths=(8, 8)),
    embed_dim=8,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # tiny layers: threads would wait for each other


def drawn(n: int, seed: int) -> SignalData:
    """Two classes: a slow wave in lead I, a fast one in lead V1."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n, 2)) < 0.5).astype(float)
    signals = rng.normal(0, 0.2, (n, 12, 100)).astype(np.float32)
    time = np.arange(100) / 100
    for c, (lead, hz) in enumerate(((0, 3), (6, 12))):
        signals[:, lead] += (y_true[:, [c]] * np.sin(2 * np.pi * hz * time)).astype(np.float32)
    return SignalData.of_array(signals, y_true, [str(i) for i in range(n)])


def test_an_encoder_learns_from_random_weights_and_better_from_more_labels() -> None:
    parts = drawn(200, 0), drawn(60, 1), drawn(80, 2)
    found = supervised(
        ("slow", "fast"),
        TINY,
        *parts,
        recipe=SupervisedRecipe(n_epochs=10),
        shares=(0.02, 1.0),
        seeds=(0,),
        n_bootstraps=20,
    )
    few, all_of_them = found["shares"]
    assert few["n_train"] < all_of_them["n_train"] == 200
    assert few["macro_auroc"] < all_of_them["macro_auroc"]
    assert all_of_them["macro_auroc"] > 0.9
    assert [c["label"] for c in found["runs"][-1]["classes"]] == ["slow", "fast"]


def test_the_same_seed_gives_the_same_result_and_unknown_labels_carry_no_loss() -> None:
    train, validation, test = drawn(40, 0), drawn(20, 1), drawn(20, 2)
    train.y_true[20:, 0] = np.nan
    one, two = (
        supervised(
            ("slow", "fast"), TINY, train, validation, test,
            recipe=SupervisedRecipe(n_epochs=1, precision="bfloat16"),
            shares=(1.0,), seeds=(0,), n_bootstraps=10,
        )
        for _ in range(2)
    )  # fmt: skip
    assert one == two
    assert one["runs"][0]["macro_auroc"] is not None


def test_an_empty_split_is_named() -> None:
    with pytest.raises(MerlError, match="needs validation recordings"):
        supervised(("a", "b"), TINY, drawn(20, 0), drawn(0, 1), drawn(20, 2))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 simulated recordings in three splits, half of them of one class."""
    root = tmp_path_factory.mktemp("simulated")
    call = ["simulate", "-n", "30", "--fs", "100", "--duration-s", "3", "--seed", "3"]
    assert CliRunner().invoke(app, [*call, "-o", str(root)]).exit_code == 0
    paths = tuple(sorted(path.name for path in root.glob("*.hea")))
    y_true = np.arange(30).reshape(-1, 1) % 2.0
    splits = ("train",) * 16 + ("val",) * 6 + ("test",) * 8
    table = Manifest(paths, ("MI",), y_true, paths, label_set="ptbxl_super", splits=splits)
    folder = tmp_path_factory.mktemp("prepared")
    write_shards(table, root, folder, Layout(STANDARD_LEADS, 100.0, 3.0, 0.5, 40.0))
    return folder


RECIPE = """
objective: pairs
name: small
model: {signal: {window_s: 3}, ecg: {depths: [1, 1], widths: [4, 8]}, embed_dim: 8}
"""


def test_a_prepared_split_gives_its_own_signals_and_labels(prepared: Path) -> None:
    data = PreparedSet(prepared, SignalConfig(window_s=3.0))
    part = SignalData.of_prepared(data, "val")
    assert len(part) == 6
    torch.testing.assert_close(part.batch(np.array([2, 0])), data.signals([18, 16]))
    np.testing.assert_array_equal(part.y_true[:, 0], [0, 1, 0, 1, 0, 1])


def test_the_command_writes_a_result_that_the_report_draws(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(RECIPE)
    result = CliRunner().invoke(
        app,
        ["supervised", str(prepared), "--config", str(tmp_path / "small.yaml"), "--epochs", "1",
         "--threads", "1", "--n-bootstraps", "10", "-o", str(tmp_path / "s.json")],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "s.json").read_text())
    assert (found["kind"], found["label_set"]) == ("supervised", "ptbxl_super")
    assert [row["share"] for row in found["shares"]] == [0.01, 0.1, 1.0]
    assert found["runs"][-1]["n_train"] == 16
    assert len(found["data_sha256"]) == 64


def test_the_command_names_what_does_not_fit(prepared: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.yaml"
    for content, data, message in (
        (RECIPE.replace("window_s: 3", "fs: 500"), prepared, "prepared with fs 100.0"),
        (RECIPE, tmp_path, "no manifest.json"),
        ("objective: pairs", prepared, "name: Field required"),
    ):
        recipe.write_text(content)
        result = CliRunner().invoke(app, ["supervised", str(data), "--config", str(recipe)])
        assert result.exit_code == 2
        assert message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
