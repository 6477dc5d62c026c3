import numpy as np
import pytest

from merl_core.datasets.ptbxl import PtbXl
from merl_core.simulate import STATEMENTS
from merl_core.targets import (
    Vocabulary,
    confusable_pairs,
    draw_weights,
    load_vocabulary,
    targets_from_findings,
    targets_from_ptbxl,
)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def recording(
    codes: set[str], superclasses: set[str], *, axis: str = "", has_voltage: bool = True
) -> PtbXl:
    one = np.array([1])
    empty = (frozenset[str](),)
    return PtbXl(
        signals=np.zeros((1, 12, 1000), np.float32),
        ecg_ids=one,
        patient_ids=one,
        folds=one,
        scp_codes=(frozenset(codes),),
        superclasses=(frozenset(superclasses),),
        subclasses=empty,
        forms=empty,
        rhythms=empty,
        reports=("",),
        axes=(axis,),
        has_voltage=np.array([has_voltage]),
    )


def value(data: PtbXl, vocabulary: Vocabulary, local: str) -> float:
    return float(targets_from_ptbxl(data, vocabulary)[0, vocabulary.index[local]])


def test_a_statement_holds_with_its_ancestors(vocabulary: Vocabulary) -> None:
    data = recording({"CLBBB", "SR"}, {"CD"})
    for local in ("complete-left-bundle-branch-block", "left-bundle-branch-block", "sinus-rhythm"):
        assert value(data, vocabulary, local) == 1


def test_a_known_statement_that_is_not_made_is_absent(vocabulary: Vocabulary) -> None:
    data = recording({"CLBBB"}, {"CD"})
    assert value(data, vocabulary, "complete-right-bundle-branch-block") == 0
    assert value(data, vocabulary, "normal-ecg") == 0


def test_what_ptbxl_has_no_statement_for_is_unknown(vocabulary: Vocabulary) -> None:
    data = recording({"NORM"}, {"NORM"})
    assert np.isnan(value(data, vocabulary, "wellens-pattern"))


def test_the_published_superclass_decides_about_its_group(vocabulary: Vocabulary) -> None:
    assert value(recording({"CLBBB"}, {"CD"}), vocabulary, "conduction-disturbance") == 1
    assert np.isnan(value(recording({"CLBBB"}, set()), vocabulary, "conduction-disturbance"))


def test_lost_voltages_make_voltage_statements_unknown(vocabulary: Vocabulary) -> None:
    data = recording({"LVOLT"}, set(), has_voltage=False)
    assert np.isnan(value(data, vocabulary, "low-qrs-voltage"))


def test_where_no_rhythm_is_stated_none_is_known_to_be_absent(vocabulary: Vocabulary) -> None:
    assert np.isnan(value(recording({"LVH"}, {"HYP"}), vocabulary, "sinus-rhythm"))
    assert np.isnan(value(recording({"PVC"}, {"CD"}), vocabulary, "atrial-fibrillation"))
    assert value(recording({"PVC"}, {"CD"}), vocabulary, "premature-complex") == 1
    assert value(recording({"LVH", "SR"}, {"HYP"}), vocabulary, "atrial-fibrillation") == 0


def test_the_stated_axis_is_used(vocabulary: Vocabulary) -> None:
    data = recording({"SR"}, set(), axis="LAD")
    assert value(data, vocabulary, "left-axis-deviation") == 1
    assert value(data, vocabulary, "right-axis-deviation") == 0
    unstated = recording({"SR"}, set())
    assert np.isnan(value(unstated, vocabulary, "right-axis-deviation"))


def test_every_scp_code_of_the_table_is_known(vocabulary: Vocabulary) -> None:
    assert {"NORM", "AFIB", "LAO/LAE", "PRC(S)", "INJAS", "ISC_", "3AVB"} <= set(
        vocabulary.by_scp_code
    )


def test_simulated_findings_hold_with_their_ancestors(vocabulary: Vocabulary) -> None:
    targets = targets_from_findings([("atrial-fibrillation",)], STATEMENTS, vocabulary)[0]
    assert targets[vocabulary.index["atrial-fibrillation"]] == 1
    assert targets[vocabulary.index["sinus-rhythm"]] == 0
    assert targets[vocabulary.index["arrhythmia"]] == 1


def test_rare_findings_are_drawn_more_often_by_the_power_asked_for() -> None:
    targets = np.zeros((100, 3), np.float32)
    targets[:90, 0] = 1
    targets[90:, 1] = 1
    even = draw_weights(targets, 0.0, 0, None)
    np.testing.assert_allclose(even, 1 / 100)
    tempered = draw_weights(targets, 0.5, 0, None)
    assert tempered[99] / tempered[0] == pytest.approx((0.9 / 0.1) ** 0.5)
    assert tempered.sum() == pytest.approx(1)


def test_normal_ecgs_get_the_share_asked_for() -> None:
    targets = np.zeros((100, 3), np.float32)
    targets[:90, 0] = 1
    targets[90:95, 1] = 1
    targets[95:, 2] = 1
    weights = draw_weights(targets, 0.5, 0, 0.3)
    assert weights[:90].sum() == pytest.approx(0.3)
    assert weights.sum() == pytest.approx(1)
    only_normal = draw_weights(targets[:90], 0.5, 0, 0.3)
    assert only_normal.sum() == pytest.approx(1)


def test_what_contradicts_or_has_a_parent_in_common_is_confusable(vocabulary: Vocabulary) -> None:
    pairs = confusable_pairs(vocabulary)

    def are_pair(one: str, other: str) -> bool:
        assert (
            pairs[vocabulary.index[one], vocabulary.index[other]]
            == pairs[vocabulary.index[other], vocabulary.index[one]]
        )
        return bool(pairs[vocabulary.index[one], vocabulary.index[other]])

    assert are_pair("short-qt-interval", "prolonged-qt-interval")  # contradict
    assert are_pair("anterior-myocardial-infarction", "inferior-myocardial-infarction")  # siblings
    assert not are_pair("inferior-myocardial-infarction", "acute-inferior-myocardial-infarction")
    assert not are_pair("left-axis-deviation", "myocardial-infarction")  # both only abnormal
    assert not pairs[vocabulary.index["normal-ecg"]].any()
    assert not pairs.diagonal().any()
