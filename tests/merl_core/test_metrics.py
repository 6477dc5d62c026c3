import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from merl_core.metrics import auroc, average_precision, bootstrap_auroc


def random_case(seed: int, n: int = 300, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of five classes, with many ties."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n, 5)) < [0.5, 0.2, 0.05, 0.9, 0.3]).astype(float)
    return y_true, (rng.normal(size=(n, 5)) + y_true).round(decimals)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_equals_scikit_learn(seed: int) -> None:
    y_true, y_score = random_case(seed)
    expected = [roc_auc_score(y_true[:, c], y_score[:, c]) for c in range(5)]
    np.testing.assert_allclose(auroc(y_true, y_score), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_equals_scikit_learn(seed: int) -> None:
    y_true, y_score = random_case(seed)
    expected = [average_precision_score(y_true[:, c], y_score[:, c]) for c in range(5)]
    np.testing.assert_allclose(average_precision(y_true, y_score), expected, atol=1e-12, rtol=0)


def test_unknown_labels_are_left_out_of_their_class() -> None:
    y_true, y_score = random_case(0)
    y_true[:100, 1] = np.nan
    expected = roc_auc_score(y_true[100:, 1], y_score[100:, 1])
    assert auroc(y_true, y_score)[1] == pytest.approx(expected, abs=1e-12)


def test_a_class_with_one_kind_of_record_has_no_value() -> None:
    assert np.isnan(auroc([0, 0], [1.0, 2.0])[0])
    assert np.isnan(average_precision([0, 0], [1.0, 2.0])[0])


def test_bootstrap_equals_scikit_learn_on_the_drawn_records() -> None:
    y_true, y_score = random_case(1, n=60)
    sample = bootstrap_auroc(y_true, y_score, n_bootstraps=3, seed=4).per_class
    rng = np.random.default_rng(4)
    for row in sample:
        drawn = rng.integers(0, 60, 60)
        expected = roc_auc_score(y_true[drawn, 0], y_score[drawn, 0])
        assert row[0] == pytest.approx(expected, abs=1e-12)


def test_patients_are_drawn_as_a_whole() -> None:
    y_true, y_score = random_case(2, n=100)
    single = bootstrap_auroc(y_true, y_score, n_bootstraps=200)
    doubled = bootstrap_auroc(
        np.repeat(y_true, 2, axis=0),
        np.repeat(y_score, 2, axis=0),
        groups=np.repeat(np.arange(100), 2),
        n_bootstraps=200,
    )
    np.testing.assert_allclose(doubled.per_class, single.per_class)


def test_the_interval_holds_the_estimate() -> None:
    y_true, y_score = random_case(3)
    sample = bootstrap_auroc(y_true, y_score, n_bootstraps=300)
    bounds = sample.interval()
    point = auroc(y_true, y_score)
    assert (bounds[:, 0] < point).all()
    assert (point < bounds[:, 1]).all()
    low, high = sample.macro_interval()
    assert low < point.mean() < high


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 1\) does not match .* \(3, 1\)"):
        auroc([0, 1], [0.1, 0.2, 0.3])


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        auroc([0, 1], [0.1, np.nan])
