import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from merl_core.errors import MerlError
from merl_core.linear_probe import ProbeData, fit_logistic, probe, stratified_share
from merl_core.probe_data import overlap


def drawn(n: int, seed: int = 0) -> ProbeData:
    """Three classes, the last one rare, that a linear layer can read."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 8)).astype(np.float32)
    logits = 3 * features[:, :3] + [0, -2, -5]
    y_true = (rng.random((n, 3)) < 1 / (1 + np.exp(-logits))).astype(float)
    return ProbeData(features, y_true, tuple(str(i) for i in range(n)))


def test_all_classes_at_once_equal_scikit_learn_one_by_one() -> None:
    data = drawn(200)
    weight, bias = fit_logistic(data.features.astype(np.float64), data.y_true, penalty=0.05)
    for c in range(3):
        model = LogisticRegression(C=1 / (0.05 * 200), tol=1e-8, max_iter=1000)
        model.fit(data.features, data.y_true[:, c])
        np.testing.assert_allclose(weight[:, c], model.coef_[0], atol=2e-3)
        np.testing.assert_allclose(bias[c], model.intercept_[0], atol=2e-3)


def test_unknown_labels_carry_no_loss() -> None:
    data = drawn(100)
    x = data.features.astype(np.float64)
    some = data.y_true.copy()
    some[60:] = np.nan
    np.testing.assert_allclose(
        fit_logistic(x, some, 0.1)[0], fit_logistic(x[:60], data.y_true[:60], 0.1)[0], atol=1e-3
    )


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_share_keeps_each_class_and_its_proportion(share: float) -> None:
    y_true = drawn(2000).y_true
    rows = stratified_share(y_true, share, seed=1)
    assert len(rows) == pytest.approx(2000 * share, abs=4)
    assert len(set(rows)) == len(rows)
    counts = y_true[rows].sum(axis=0)
    assert (counts >= 1).all()
    np.testing.assert_allclose(counts[:2], share * y_true.sum(axis=0)[:2], rtol=0.35, atol=2)


def test_the_same_seed_draws_the_same_share_and_another_another() -> None:
    y_true = drawn(500).y_true
    one, same, other = (stratified_share(y_true, 0.1, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert set(one) != set(other)


def test_more_labels_help_and_every_run_is_reported() -> None:
    report = probe(["a", "b", "c"], drawn(1500), drawn(400, 1), drawn(600, 2), n_bootstraps=30)
    assert [run["share"] for run in report["runs"]] == [0.01] * 3 + [0.1] * 3 + [1.0]
    few, some, all_of_them = (row["macro_auroc"] for row in report["shares"])
    assert few < all_of_them
    assert all_of_them > 0.9
    assert some > 0.8
    low, high = report["runs"][-1]["macro_auroc_ci"]
    assert low < report["runs"][-1]["macro_auroc"] < high


def test_the_papers_recipe_says_that_it_chose_on_the_test_records() -> None:
    report = probe(
        ["a", "b", "c"], drawn(100), drawn(50, 1), drawn(200, 2),
        shares=(1.0,), seeds=(0,), recipe="paper", n_bootstraps=20,
    )  # fmt: skip
    assert report["recipe"] == "paper"
    assert "test" in report["runs"][0]["chosen_on"]


def test_a_class_without_positives_in_the_test_is_left_out_by_name() -> None:
    test = drawn(100, 2)
    y_true = test.y_true.copy()
    y_true[:, 2] = 0
    report = probe(
        ["a", "b", "c"], drawn(200), drawn(100, 1),
        ProbeData(test.features, y_true, test.patients),
        shares=(1.0,), seeds=(0,), n_bootstraps=20,
    )  # fmt: skip
    assert report["runs"][0]["without_value"] == ["c"]
    assert report["runs"][0]["n_classes"] == 2


def test_a_missing_split_is_named() -> None:
    empty = ProbeData(np.zeros((0, 8), np.float32), np.zeros((0, 3)), ())
    with pytest.raises(MerlError, match="needs validation recordings"):
        probe(["a", "b", "c"], drawn(50), empty, drawn(50))


def test_classes_of_two_sets_meet_in_their_concepts() -> None:
    source = (("AFIB", "SR"), "ptbxl_rhythm", {"train": ProbeData(
        np.zeros((2, 4), np.float32), np.array([[1.0, 0], [0, 1]]), ("a", "b")
    )})  # fmt: skip
    target = (("NORM", "AFIB"), "cpsc2018", ProbeData(
        np.zeros((1, 4), np.float32), np.array([[0.0, 1]]), ("c",)
    ))  # fmt: skip
    labels, parts = overlap(source, target)
    assert labels == ("AFIB",)
    np.testing.assert_array_equal(parts["train"].y_true, [[1], [0]])
    np.testing.assert_array_equal(parts["test"].y_true, [[1]])


def test_sets_without_a_common_class_are_refused() -> None:
    data = ProbeData(np.zeros((1, 4), np.float32), np.ones((1, 1)), ("a",))
    with pytest.raises(MerlError, match="share no class"):
        overlap((("one",), None, {"train": data}), (("two",), None, data))
