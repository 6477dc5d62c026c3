import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from merl_core.calibration import expected_calibration_error, fit_calibration
from merl_core.cli import app
from merl_core.engine import Engine
from merl_core.errors import MerlError
from merl_core.readers import read_record
from merl_core.simulated_files import write_simulated


def drawn(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels that follow from scores by a known curve."""
    rng = np.random.default_rng(seed)
    score = rng.normal(0.1, 0.15, size=n)
    probability = 1 / (1 + np.exp(-(12 * score - 3)))
    return (rng.random(n) < probability).astype(float), score, probability


@pytest.mark.parametrize(("method", "tolerance"), [("platt", 0.03), ("isotonic", 0.08)])
def test_a_known_curve_is_found_again(method: str, tolerance: float) -> None:
    y, score, expected = drawn()
    found, report = fit_calibration(
        ["a"], y[:, None], score[:, None], [str(i) for i in range(len(y))], {"a": "text"},
        fitted_on="drawn", method=method,
    )  # fmt: skip
    said = np.array([found["a"].probability(s) for s in score])
    assert np.abs(said - expected).mean() < tolerance
    assert report[0]["ece"] < 0.03
    assert report[0]["brier"] < report[0]["brier_of_prevalence"]
    assert found["a"].fitted_on == "drawn"


def test_a_higher_score_never_means_a_lower_probability() -> None:
    y, score, _ = drawn(300)
    found, _ = fit_calibration(
        ["a"], y[:, None], score[:, None], [str(i) for i in range(300)], {"a": "t"},
        fitted_on="d", method="isotonic",
    )  # fmt: skip
    said = [found["a"].probability(s) for s in np.linspace(-1, 1, 200)]
    assert said == sorted(said)
    assert 0 < said[0] <= said[-1] < 1


def test_cases_are_counted_by_patient() -> None:
    y, score = np.r_[np.ones(40), np.zeros(40)], np.linspace(0, 1, 80)
    patients = ["one"] * 40 + [str(i) for i in range(40)]
    with pytest.raises(MerlError, match="no class of 'd' has 10 patients"):
        fit_calibration(["a"], y[:, None], score[:, None], patients, {"a": "t"}, fitted_on="d")


def test_calibration_error_is_the_distance_of_what_was_said_and_came_true() -> None:
    y = np.array([0.0, 0, 1, 1])
    assert expected_calibration_error(y, y, n_bins=2) == 0
    assert expected_calibration_error(y, np.full(4, 0.5), n_bins=2) == pytest.approx(0.5)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_simulated(folder, None, n_records=30, fs=100, duration_s=3.0, seed=5)
    names = sorted(path.name for path in folder.glob("*.hea"))
    rows = [f"{name},{i % 2},val" for i, name in enumerate(names)]
    (folder / "m.csv").write_text("\n".join(["path,atrial fibrillation,split", *rows]) + "\n")
    return folder


def test_a_calibrated_checkpoint_answers_with_probabilities_for_that_prompt_alone(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    output = tmp_path / "calibrated"
    result = CliRunner().invoke(
        app,
        ["calibrate", str(simulated / "m.csv"), "--root", str(simulated), "--name", "Simulated",
         "--checkpoint", str(tiny_checkpoint), "-o", str(output)],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["classes"]
    assert row["calibrated"]
    assert 0 <= row["ece"] <= 1
    engine = Engine(output, "cpu")
    record = read_record(min(simulated.glob("*.hea")))
    scores = engine.classify(
        record, {"af": "atrial fibrillation", "other": "atrial fibrillation, no P waves"}
    ).scores
    assert 0 < (scores[0].probability or 0) < 1
    assert scores[1].probability is None


@pytest.mark.parametrize("name", ["test", "Test", " TEST"])
def test_test_data_calibrate_nothing(
    simulated: Path, tiny_checkpoint: Path, tmp_path: Path, name: str
) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text((simulated / "m.csv").read_text().replace(",val", f",{name}"))
    result = CliRunner().invoke(
        app,
        ["calibrate", str(manifest), "--root", str(simulated), "--name", "x",
         "--checkpoint", str(tiny_checkpoint), "-o", str(tmp_path / "c")],
    )  # fmt: skip
    assert result.exit_code == 2
    assert "30 recordings are in split 'test'" in " ".join(result.output.split())
