import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from merl_core.checkpoint import load_checkpoint
from merl_core.cli import app
from merl_core.datasets.prepared import PreparedSet
from merl_core.engine import Engine
from merl_core.errors import MerlError
from merl_core.training.config import PairConfig
from merl_core.training.labelled import LabelledSet, load_labelled
from merl_core.training.launch import train_pairs


@pytest.fixture(scope="module")
def by_labels(shared_recipe: PairConfig) -> PairConfig:
    return shared_recipe.model_copy(update={"select_by": "labelled_auroc"})


@pytest.fixture(scope="module")
def run(
    prepared: Path, labelled: Path, by_labels: PairConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("by_labels") / "tiny"
    train_pairs(by_labels, prepared, folder, select_on=[labelled])
    return folder


def metrics_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_the_epoch_kept_is_the_one_of_the_highest_auroc_on_labels(run: Path) -> None:
    found = {r["epoch"]: r["val_labelled_auroc"] for r in metrics_of(run) if "val_loss" in r}
    kept = load_checkpoint(run / "tiny").config.training["result"]["epoch"]
    assert len(found) == 3
    assert found[kept] == max(found.values())


def test_the_value_is_the_mean_auroc_of_class_names_over_classes_with_both_outcomes(
    run: Path, labelled: Path
) -> None:
    engine = Engine(run / "tiny", "cpu")
    data = PreparedSet(labelled, engine.config.signal)
    features = engine.encode_windows(data.signals(range(len(data))).numpy())
    names = LabelledSet(data).classnames
    assert names == ["normal ECG", "myocardial infarction"]
    scores = features @ engine.encode_text(names).T
    expected = np.mean([roc_auc_score(data.y_true[:, c], scores[:, c]) for c in (0, 1)])
    kept = load_checkpoint(run / "tiny").config.training["result"]
    assert kept["val_auroc_ptbxl_super"] == pytest.approx(expected, abs=1e-6)


def test_run_and_checkpoint_say_on_which_labels_the_epoch_was_chosen(
    run: Path, labelled: Path, by_labels: PairConfig
) -> None:
    sha256 = PreparedSet(labelled, by_labels.model.signal).sha256
    expected = [{"set": "ptbxl_super", "sha256": sha256}]
    assert json.loads((run / "run.json").read_text())["selected_on_labels_of"] == expected
    assert load_checkpoint(run / "tiny").config.training["selected_on_labels_of"] == expected


def test_no_recipe_uses_labels_unless_it_says_so(
    prepared: Path, labelled: Path, recipe: PairConfig, by_labels: PairConfig
) -> None:
    assert load_labelled(recipe, []) == []
    with pytest.raises(MerlError, match="selects by 'validation_loss', which takes no labels"):
        load_labelled(recipe, [labelled])
    with pytest.raises(MerlError, match="name prepared folders with classes by --select-on"):
        load_labelled(by_labels, [])
    with pytest.raises(MerlError, match="prepared from a manifest without classes"):
        load_labelled(by_labels, [prepared])


def test_the_command_refuses_labels_that_the_recipe_does_not_ask_for(
    prepared: Path, labelled: Path, recipe_file: Path, tmp_path: Path
) -> None:
    arguments = ["train", str(recipe_file), "--data", str(prepared), "-o", str(tmp_path)]
    result = CliRunner().invoke(app, [*arguments, "--select-on", str(labelled), "--threads", "1"])
    assert result.exit_code == 2
    assert "which takes no labels" in result.stderr
