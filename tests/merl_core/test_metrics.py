import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from merl_core.metrics import auroc, average_precision, bootstrap, interval, macro_interval


def random_case(seed: int, n: int = 300, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of five classes, with many ties."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n, 5)) < [0.5, 0.2, 0.05, 0.9, 0.3]).astype(float)
    return y_true, (rng.normal(size=(n, 5)) + y_true).round(decimals)


@st.composite
def ranked_cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two records or more, both kinds among them, with scores that may tie or be far apart."""
    n = draw(st.integers(2, 40))
    y_true = draw(arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0])))
    y_true[:2] = [0, 1]
    finite = st.floats(-1e6, 1e6, allow_subnormal=False)
    y_score = draw(arrays(np.float64, n, elements=st.one_of(finite, st.sampled_from([-1.0, 0, 1]))))
    return y_true, y_score


@given(ranked_cases())
def test_both_metrics_equal_scikit_learn_on_any_ranking(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    y_true, y_score = case
    assert abs(auroc(y_true, y_score)[0] - roc_auc_score(y_true, y_score)) < 1e-12
    expected = average_precision_score(y_true, y_score)
    assert abs(average_precision(y_true, y_score)[0] - expected) < 1e-12


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
    sample = bootstrap(y_true, y_score, n_bootstraps=3, seed=4)
    rng = np.random.default_rng(4)
    for roc, precision in zip(sample.auroc, sample.average_precision, strict=True):
        drawn = rng.integers(0, 60, 60)
        truth, score = y_true[drawn, 0], y_score[drawn, 0]
        assert roc[0] == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
        expected = average_precision_score(truth, score)
        assert precision[0] == pytest.approx(expected, abs=1e-12)


def test_patients_are_drawn_as_a_whole() -> None:
    y_true, y_score = random_case(2, n=100)
    single = bootstrap(y_true, y_score, n_bootstraps=200)
    doubled = bootstrap(
        np.repeat(y_true, 2, axis=0),
        np.repeat(y_score, 2, axis=0),
        groups=np.repeat(np.arange(100), 2),
        n_bootstraps=200,
    )
    np.testing.assert_allclose(doubled.auroc, single.auroc)
    np.testing.assert_allclose(doubled.average_precision, single.average_precision)


def test_the_interval_holds_the_estimate() -> None:
    y_true, y_score = random_case(3)
    sample = bootstrap(y_true, y_score, n_bootstraps=300).auroc
    bounds = interval(sample)
    point = auroc(y_true, y_score)
    assert (bounds[:, 0] < point).all()
    assert (point < bounds[:, 1]).all()
    low, high = macro_interval(sample)
    assert low < point.mean() < high


def test_a_sample_without_positives_has_no_value_and_does_not_spoil_the_interval() -> None:
    y_true, y_score = np.array([1.0, 0, 0, 0]), np.array([4.0, 3, 2, 1])
    sample = bootstrap(y_true, y_score, n_bootstraps=200).auroc
    assert np.isnan(sample).any()
    np.testing.assert_array_equal(interval(sample), [[1, 1]])
    assert macro_interval(sample) == (1, 1)


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 1\) does not match .* \(3, 1\)"):
        auroc([0, 1], [0.1, 0.2, 0.3])


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        auroc([0, 1], [0.1, np.nan])
