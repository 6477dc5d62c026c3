"""Every finding's hallmark is on the tracing; the lists of findings are consistent."""

import numpy as np
import pytest
from numpy.typing import NDArray

from merl_core.errors import MerlError
from merl_core.simulate import FINDINGS, STATEMENTS, SimulatedBatch, sample_findings, simulate
from merl_core.simulate.findings import check_findings, conflicting
from merl_core.simulate.phrases import PHRASES

I, II, III, AVR, AVL, AVF, V1, V2, V3, V4, V5, V6 = range(12)  # noqa: E741
N = 24


def show(*findings: str) -> SimulatedBatch:
    return simulate([findings] * N, n_records=N, fs=250, seed=8, noise_level=0.0)


def share(hits: NDArray[np.bool_]) -> float:
    return float(np.mean(hits))


@pytest.mark.parametrize("finding", sorted(FINDINGS))
def test_every_finding_can_be_simulated_alone_and_is_stated(finding: str) -> None:
    batch = simulate([(finding,)] * 3, n_records=3, seed=5, fs=250)
    assert np.isfinite(batch.signals).all()
    assert np.abs(batch.signals).max() < 12
    unstated = {"normal-ecg", "sinus-rhythm"}
    assert finding in unstated or all(finding in stated for stated in batch.findings)


def test_every_stated_finding_has_wordings() -> None:
    stated = {f for one in simulate(None, n_records=600, seed=2).findings for f in one}
    assert stated <= set(PHRASES)
    assert set(FINDINGS) <= set(PHRASES)


def test_nothing_outside_the_list_of_statements_is_stated() -> None:
    stated = {name for one in simulate(None, n_records=1500, seed=12).findings for name in one}
    assert stated <= STATEMENTS
    assert stated - set(FINDINGS), "some statements follow from measures alone"


def test_an_unknown_finding_is_named_and_near_ones_are_offered() -> None:
    with pytest.raises(MerlError, match="'left-bundle'"):
        simulate([("left-bundle",)], n_records=1, seed=0)
    with pytest.raises(MerlError, match="did you mean 'atrial-flutter'"):
        simulate([("atrial-fluter",)], n_records=1, seed=0)


def test_findings_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(MerlError, match="exclude each other"):
        check_findings(("atrial-fibrillation", "first-degree-av-block"))


def test_exclusion_is_symmetric() -> None:
    names = sorted(FINDINGS)
    assert all(conflicting(a, b) == conflicting(b, a) for a in names for b in names)


def test_ventricular_hypertrophy_often_comes_with_atrial_signs() -> None:
    rng = np.random.default_rng(2)
    drawn = [sample_findings(rng) for _ in range(3000)]
    thick = [one for one in drawn if "left-ventricular-hypertrophy" in one]
    with_atrium = np.mean(["left-atrial-enlargement" in one for one in thick])
    assert 0.2 < with_atrium < 0.5
    assert with_atrium > 2 * np.mean(["left-atrial-enlargement" in one for one in drawn])


def test_drawn_findings_never_exclude_each_other() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        check_findings(sample_findings(rng))


def test_every_finding_is_drawn_now_and_then() -> None:
    rng = np.random.default_rng(1)
    drawn = {f for _ in range(6000) for f in sample_findings(rng)}
    indirect = {
        i for i, f in FINDINGS.items() if f.family == "stage" or i.startswith(("acute-", "old-"))
    }
    assert set(FINDINGS) - indirect <= drawn


def test_a_normal_ecg_is_stated_only_with_sinus_rhythm() -> None:
    batch = simulate(None, n_records=1500, seed=6)
    allowed = {
        "normal-ecg",
        "sinus-rhythm",
        "sinus-bradycardia",
        "sinus-arrhythmia",
        "sinus-tachycardia",
    }
    for stated in batch.findings:
        if "normal-ecg" in stated:
            assert {
                f for f in stated if f not in allowed and FINDINGS[f].family != "quality"
            } == set()


def test_most_hearts_drawn_as_normal_are_stated_normal() -> None:
    batch = simulate([("normal-ecg", "sinus-rhythm")] * 200, n_records=200, seed=3)
    assert np.mean(["normal-ecg" in f for f in batch.findings]) > 0.85


def test_statements_follow_the_measures() -> None:
    batch = simulate(None, n_records=1500, seed=7)
    m = batch.measurements
    for i, stated in enumerate(batch.findings):
        if "sinus-bradycardia" in stated:
            assert "sinus-tachycardia" not in stated
        if "left-axis-deviation" in stated:
            assert -90 <= m["qrs_axis_deg"][i] < -30
        if "first-degree-av-block" in stated:
            assert m["pr_ms"][i] > 200
        if "low-qrs-voltage" in stated and "electrical-alternans" not in stated:
            assert (m["r_mv"][i, :6] + m["s_mv"][i, :6]).max() < 0.52


def test_complete_left_bundle_branch_block_is_wide_and_negative_in_v1() -> None:
    m = show("complete-left-bundle-branch-block").measurements
    assert (m["qrs_ms"] >= 120).all()
    assert share(m["s_mv"][:, V1] > 2 * m["r_mv"][:, V1]) > 0.95
    assert share(m["r_mv"][:, V6] > m["s_mv"][:, V6]) > 0.9
    assert share(m["q_mv"][:, V6] < 0.1) > 0.9


def test_complete_right_bundle_branch_block_ends_positive_in_v1() -> None:
    batch = show("complete-right-bundle-branch-block")
    m = batch.measurements
    assert (m["qrs_ms"] >= 120).all()
    assert share(m["r_mv"][:, V1] > 0.25) > 0.9
    assert share(m["s_mv"][:, V6] > 0.1) > 0.8


def test_left_anterior_fascicular_block_turns_the_axis_up() -> None:
    m = show("left-anterior-fascicular-block").measurements
    assert share(m["qrs_axis_deg"] < -35) > 0.9
    assert share(m["s_mv"][:, III] > m["r_mv"][:, III]) == 1


def test_an_inferior_stemi_raises_st_below_and_lowers_it_above() -> None:
    st = show("acute-inferior-myocardial-infarction").measurements["st_mv"]
    for lead in (II, III, AVF):
        assert share(st[:, lead] > 0.05) > 0.9
    assert share(st[:, AVL] < -0.04) > 0.9


def test_an_anterior_stemi_raises_st_in_v2_to_v4() -> None:
    st = show("acute-anterior-myocardial-infarction").measurements["st_mv"]
    assert share(st[:, V2:V5].min(axis=1) > 0.08) > 0.9


def test_severity_reaches_from_mild_to_marked() -> None:
    block = show("sinus-rhythm", "first-degree-av-block").measurements["pr_ms"]
    assert block.min() < 235
    assert block.max() > 280
    st = show("sinus-rhythm", "lateral-ischemia").measurements["st_mv"][:, V5]
    assert np.ptp(st) > 0.08


def test_an_old_anterior_infarction_mostly_keeps_t_upright() -> None:
    names = ("sinus-rhythm", "anteroseptal-myocardial-infarction", "old-myocardial-infarction")
    m = show(*names).measurements
    assert share(m["r_mv"][:, V2] < 0.3) > 0.7
    assert share(m["t_mv"][:, V3] > 0) > 0.5


def test_an_old_inferior_infarction_leaves_q_waves() -> None:
    m = show("old-inferior-myocardial-infarction").measurements
    assert share(m["q_mv"][:, III] > 0.1) > 0.8


@pytest.mark.parametrize(
    ("finding", "leads"),
    [
        ("inferior-ischemia", (II, AVF)),
        ("anterolateral-ischemia", (V4, V5)),
        ("lateral-ischemia", (V5, V6)),
        ("anteroseptal-ischemia", (V2, V3)),
    ],
)
def test_ischemia_shows_in_its_own_leads(finding: str, leads: tuple[int, ...]) -> None:
    m = show(finding).measurements
    hit = (m["st_mv"][:, leads].mean(axis=1) < -0.03) | (m["t_mv"][:, leads].mean(axis=1) < 0)
    assert share(hit) > 0.85


def test_left_ventricular_hypertrophy_meets_a_voltage_criterion() -> None:
    batch = show("left-ventricular-hypertrophy")
    m = batch.measurements
    limit = np.where(np.array(batch.sexes) == "F", 2.0, 2.8)
    assert share((m["sokolow_lyon_mv"] > 3.4) | (m["cornell_mv"] > 0.97 * limit)) > 0.9


def test_strain_lowers_st_and_inverts_t_laterally() -> None:
    m = show("left-ventricular-hypertrophy", "left-ventricular-strain").measurements
    assert share((m["st_mv"][:, V6] < -0.02) & (m["t_mv"][:, V6] < 0)) > 0.8


def test_right_ventricular_hypertrophy_has_tall_r_in_v1_and_a_right_axis() -> None:
    m = show("right-ventricular-hypertrophy").measurements
    assert share(m["r_mv"][:, V1] > m["s_mv"][:, V1]) > 0.8
    assert share(m["qrs_axis_deg"] > 90) > 0.75


def test_atrial_enlargement_shows_in_height_or_length_of_p() -> None:
    right = show("right-atrial-enlargement").measurements
    assert np.median(right["p_mv"][:, II]) > 0.22
    assert np.median(show("normal-ecg").measurements["p_mv"][:, II]) < 0.15
    left = show("left-atrial-enlargement").measurements
    assert (left["p_ms"] >= 120).all()
    assert np.median(left["p_mv"][:, V1]) < -0.06


def test_pre_excitation_shortens_pr_and_widens_qrs() -> None:
    for side, sign in (("left", 1), ("right", -1)):
        m = show(f"wolff-parkinson-white-{side}").measurements
        assert (m["pr_ms"] < 120).all()
        assert (m["qrs_ms"] > 110).all()
        assert share(sign * (m["r_mv"][:, V1] - m["s_mv"][:, V1]) > 0) > 0.75


def test_low_voltage_is_low() -> None:
    m = show("low-qrs-voltage").measurements
    assert share((m["r_mv"][:, :6] + m["s_mv"][:, :6]).max(axis=1) < 0.7) > 0.9


def test_lead_reversal_turns_lead_one_over() -> None:
    assert share(show("limb-lead-reversal").signals[:, I].mean(axis=1) < 0) > 0.8


def test_reports_are_worded_in_the_style_asked_for() -> None:
    asked = [("atrial-fibrillation", "left-axis-deviation")] * 40
    german = simulate(asked, n_records=40, seed=4, report_style="german").reports
    assert all("vorhof" in text.lower() or "arrhythmi" in text.lower() for text in german)
    assert not any("atrial" in text.lower() for text in german)
    plain = simulate(asked, n_records=40, seed=4, report_style="plain").reports
    assert not any("vorhof" in text.lower() for text in plain)
    with pytest.raises(ValueError, match="'french' is none of plain, cart, clinician, german"):
        simulate(asked[:1], n_records=1, seed=4, report_style="french")


def test_german_reports_are_among_the_reports() -> None:
    reports = simulate([("atrial-fibrillation",)] * 80, n_records=80, seed=4).reports
    assert any("vorhofflimmern" in text.lower() for text in reports)
    assert any("atrial fibrillation" in text.lower() for text in reports)
    assert len(set(reports)) > 20
