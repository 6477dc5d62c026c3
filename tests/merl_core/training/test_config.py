from pathlib import Path

import pytest

from merl_core.errors import MerlError
from merl_core.model import MERL_LEADS, paper_config
from merl_core.train_config import TrainConfig
from merl_core.training.config import PairConfig, load_recipe
from merl_core.training.schedule import cosine, restarts

CONFIGS = sorted((Path(__file__).parents[3] / "merl_core" / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_shipped_recipe_is_read(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    is_by_pairs = "objective: pairs" in path.read_text()
    assert isinstance(recipe, PairConfig if is_by_pairs else TrainConfig)


def by_name(name: str) -> PairConfig:
    recipe = load_recipe(next(path for path in CONFIGS if path.stem == name))
    assert isinstance(recipe, PairConfig)
    return recipe


def test_the_compatible_recipe_is_the_papers_model() -> None:
    recipe = by_name("merl-paper-resnet18")
    assert recipe.model == paper_config("resnet18")
    assert recipe.model.signal.leads == MERL_LEADS
    assert not recipe.equal_reports_are_positives
    assert recipe.schedule == "paper_restarts"


def test_the_corrected_recipe_keeps_millivolts_and_shares_what_the_paper_does_not() -> None:
    recipe = by_name("merl-corrected-resnet18")
    assert recipe.model.signal.normalization == "millivolt"
    assert recipe.equal_reports_are_positives
    assert recipe.sync_batch_norm
    assert recipe.select_by == "validation_loss"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("objective: pairs\nname: a\nlearning_rat: 1\n", "learning_rat: Extra inputs"),
        ("objective: triplets\nname: a\n", "objective: Input should be 'pairs'"),
        ("name: a\nbatch_size: many\n", "batch_size: Input should be a valid integer"),
        ("- 1\n", "the file: Input should be"),
        ("a: [", "not valid YAML"),
        (
            "objective: pairs\nname: a\naugmentation: {}\n"
            "model: {signal: {normalization: merl_minmax}}\n",
            "augmentation works on millivolts",
        ),
    ],
)
def test_a_wrong_recipe_is_one_line_that_names_the_field(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content)
    with pytest.raises(MerlError) as caught:
        load_recipe(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_absent_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(MerlError, match=r"absent.yaml' cannot be read"):
        load_recipe(tmp_path / "absent.yaml")


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    factors = [cosine(step, 110, 10) for step in range(110)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9] == factors[10] == 1
    assert factors[60] == pytest.approx(0.5)
    assert factors[-1] < 0.001


def test_the_papers_rate_starts_anew_every_5000_steps() -> None:
    assert restarts(0) == restarts(5000) == 1
    assert restarts(2500) == pytest.approx(0.5)
    assert restarts(4999) < 1e-6
