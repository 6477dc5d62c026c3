# ruff: noqa: E501
"""The findings that the simulator can show: how each changes a heart, and which exclude each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from merl_core.errors import MerlError
from merl_core.simulate import conduction as c
from merl_core.simulate import infarction as inf
from merl_core.simulate import morphology as m
from merl_core.simulate import rhythm_plans as r
from merl_core.simulate import surface as s
from merl_core.simulate.effects import Effect
from merl_core.simulate.rhythm_plans import PlanEffect


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its local concept id and what it does."""

    id: str
    family: str
    """Findings of one family exclude each other, `ectopy`, `quality` and `stage` apart."""
    weight: float = 1.0
    """Share within the family when findings are drawn."""
    plan: PlanEffect | None = None
    source: Effect | None = None
    surface: Effect | None = None
    implies: tuple[str, ...] = ()
    """Findings that are stated with it."""
    excludes: frozenset[str] = frozenset()
    """Families, or ids, that do not go with it."""
    needs_sinus: bool = False
    """Whether it slows or hastens the sinus node, so that no other rhythm goes with it."""


_WIDE = frozenset(
    {"infarction", "ischemia", "repolarization", "hypertrophy", "axis", "pattern", "voltage"}
)
_NO_P = frozenset({"atrial", "av", "atrial_ectopy"})
_ALONE = _WIDE | _NO_P | {"conduction", "ectopy", "interval"}
_INTERPOLATED = "interpolated-ventricular-premature-complex"
_STIMULATED = _ALONE - {"ectopy"} | {
    _INTERPOLATED,
    "multifocal-ventricular-premature-complexes",
    "r-on-t",
}
_ST_OWN = frozenset({"infarction", "ischemia", "repolarization"})
_DROPPED_BEATS = frozenset(
    {
        "mobitz-1-av-block",
        "mobitz-2-av-block",
        "two-to-one-av-block",
        "high-degree-av-block",
        "third-degree-av-block",
    }
)
_SINUS = frozenset(
    {
        "sinus-rhythm",
        "sinus-bradycardia",
        "sinus-tachycardia",
        "sinus-arrhythmia",
        "sinus-pause",
        "sinoatrial-block",
    }
)
"""Rhythms of the sinus node."""
_FAST = frozenset({"sinus-tachycardia"})
_SLOW = frozenset({"sinus-bradycardia", "sinus-pause", "sinoatrial-block"})

_ITEMS: tuple[Finding, ...] = (
    Finding("normal-ecg", "normal", excludes=_ALONE | {"technical"}),
    # --- rhythm
    Finding("sinus-rhythm", "rhythm", 6.0),
    Finding("sinus-bradycardia", "rhythm", 1.2, r.rhythm("sinus", (41, 59))),
    Finding("sinus-tachycardia", "rhythm", 1.3, r.rhythm("sinus", (101, 150)), m.pr_between(120, 160), excludes=_DROPPED_BEATS),
    Finding("sinus-arrhythmia", "rhythm", 1.6, r.rhythm("sinus", (50, 95), variability=0.085), excludes=_DROPPED_BEATS),
    Finding("sinus-pause", "rhythm", 0.15, r.rhythm("pause", (48, 80)), excludes=frozenset({"av", "ectopy"})),
    Finding("sinoatrial-block", "rhythm", 0.12, r.rhythm("sinus_block", (50, 80), variability=0.008), excludes=frozenset({"av", "ectopy"})),
    Finding("atrial-fibrillation", "rhythm", 1.7, r.rhythm("fibrillation", (50, 99)), excludes=_NO_P | {_INTERPOLATED}),
    Finding("atrial-fibrillation-rapid", "rhythm", 0.7, r.rhythm("fibrillation", (104, 160)), excludes=_NO_P | {_INTERPOLATED}),
    Finding("atrial-flutter", "rhythm", 1.0, r.flutter, excludes=_NO_P | {_INTERPOLATED}),
    Finding("supraventricular-tachycardia", "rhythm", 0.7, r.rhythm("reentry", (150, 220), pr_s=(0.03, 0.14)), excludes=_NO_P | {"ectopy"}),
    Finding("paroxysmal-supraventricular-tachycardia", "rhythm", 0.25, r.paroxysmal, excludes=_NO_P | {"ectopy"}),
    Finding("avnrt", "rhythm", 0.12, r.rhythm("reentry", (150, 210), pr_s=(0.02, 0.06)), excludes=_NO_P | {"ectopy"}),
    Finding("avrt", "rhythm", 0.12, r.rhythm("reentry", (160, 220), pr_s=(0.09, 0.14)), excludes=_NO_P | {"ectopy"}),
    Finding("atrial-tachycardia", "rhythm", 0.4, r.rhythm("atrial_tachycardia", (120, 190), variability=0.004, pr_s=(0.11, 0.15)), excludes=_NO_P | {"ectopy"}),
    Finding("multifocal-atrial-tachycardia", "rhythm", 0.2, r.rhythm("multifocal", (104, 140), pr_s=(0.11, 0.17)), excludes=_NO_P | {"ectopy"}),
    Finding("ectopic-atrial-rhythm", "rhythm", 0.35, r.rhythm("atrial", (55, 92)), excludes=_NO_P | {"ectopy"}),
    Finding("wandering-atrial-pacemaker", "rhythm", 0.15, r.rhythm("wandering", (55, 90), variability=0.05), excludes=_NO_P | {"ectopy"}),
    Finding("junctional-rhythm", "rhythm", 0.45, r.rhythm("junctional", (40, 59)), excludes=_NO_P | {"ectopy"}),
    Finding("accelerated-junctional-rhythm", "rhythm", 0.2, r.rhythm("junctional", (62, 98)), excludes=_NO_P | {"ectopy"}),
    Finding("junctional-tachycardia", "rhythm", 0.12, r.rhythm("junctional", (104, 140)), excludes=_NO_P | {"ectopy"}),
    Finding("idioventricular-rhythm", "rhythm", 0.15, r.rhythm("ventricular", (26, 40)), excludes=_ALONE),
    Finding("accelerated-idioventricular-rhythm", "rhythm", 0.2, r.rhythm("ventricular", (55, 100), conduction="complete", atrial_rate=(60, 95)), excludes=_ALONE),
    Finding("ventricular-tachycardia", "rhythm", 0.4, r.ventricular_tachycardia, excludes=_ALONE),
    Finding("ventricular-fibrillation", "rhythm", 0.08, r.rhythm("chaos"), excludes=_ALONE),
    Finding("torsades-de-pointes", "rhythm", 0.06, r.rhythm("chaos"), excludes=_ALONE),
    Finding("atrial-paced-rhythm", "rhythm", 0.25, r.rhythm("sinus", (60, 80), paced="atrial"), excludes=frozenset({"av", "ectopy"})),
    Finding("ventricular-paced-rhythm", "rhythm", 0.6, r.ventricular_pacing, source=m.paced_form, excludes=_STIMULATED),
    Finding("dual-chamber-paced-rhythm", "rhythm", 0.5, r.dual_chamber_pacing, source=m.paced_form, excludes=_STIMULATED),
    # --- conduction from atria to ventricles
    Finding("first-degree-av-block", "av", 1.8, r.not_faster_than(118), m.first_degree_block),
    Finding("short-pr-interval", "av", 0.5, source=m.pr_between(86, 117), excludes=frozenset({"left-atrial-enlargement", "biatrial-enlargement"})),
    Finding("mobitz-1-av-block", "av", 0.35, r.partial_block("wenckebach", (62, 95)), excludes=frozenset({"ectopy"})),
    Finding("mobitz-2-av-block", "av", 0.25, r.partial_block("mobitz2", (62, 95)), excludes=frozenset({"ectopy"})),
    Finding("two-to-one-av-block", "av", 0.25, r.partial_block("two_to_one", (66, 105)), excludes=frozenset({"ectopy"})),
    Finding("high-degree-av-block", "av", 0.12, r.partial_block("high", (72, 110)), excludes=frozenset({"ectopy"})),
    Finding("third-degree-av-block", "av", 0.6, r.complete_block, implies=("av-dissociation",), excludes=frozenset({"ectopy", "ischemia", "infarction"})),
    # --- ectopic beats
    Finding("ventricular-premature-complex", "ectopy", 2.0, r.ectopy("pvc")),
    Finding("ventricular-couplet", "ectopy", 0.25, r.ectopy("couplet")),
    Finding("multifocal-ventricular-premature-complexes", "ectopy", 0.25, r.ectopy("multifocal"), implies=("ventricular-premature-complex",)),
    Finding("interpolated-ventricular-premature-complex", "ectopy", 0.12, r.ectopy("interpolated"), implies=("ventricular-premature-complex",)),
    Finding("r-on-t", "ectopy", 0.08, r.ectopy("r_on_t"), implies=("ventricular-premature-complex",)),
    Finding("ventricular-bigeminy", "ectopy", 0.5, r.ectopy("ventricular_bigeminy"), implies=("ventricular-premature-complex",)),
    Finding("ventricular-trigeminy", "ectopy", 0.4, r.ectopy("ventricular_trigeminy"), implies=("ventricular-premature-complex",)),
    Finding("atrial-premature-complex", "atrial_ectopy", 1.6, r.ectopy("pac")),
    Finding("blocked-atrial-premature-complex", "atrial_ectopy", 0.15, r.ectopy("blocked_pac"), implies=("atrial-premature-complex",)),
    Finding("aberrant-conduction", "atrial_ectopy", 0.15, r.ectopy("aberrant"), implies=("atrial-premature-complex",)),
    Finding("junctional-premature-complex", "atrial_ectopy", 0.25, r.ectopy("junctional_pc")),
    Finding("atrial-bigeminy", "atrial_ectopy", 0.25, r.ectopy("atrial_bigeminy"), implies=("atrial-premature-complex",)),
    Finding("atrial-trigeminy", "atrial_ectopy", 0.2, r.ectopy("atrial_trigeminy"), implies=("atrial-premature-complex",)),
    # --- conduction within the ventricles
    Finding("complete-right-bundle-branch-block", "conduction", 1.4, source=c.right_bundle_branch_block, surface=s.right_bundle_near_field(0.25, 0.8), excludes=frozenset({"axis", "pattern"})),
    Finding("complete-left-bundle-branch-block", "conduction", 1.5, source=c.left_bundle_branch_block, surface=s.left_bundle_near_field, excludes=_WIDE),
    Finding("incomplete-left-bundle-branch-block", "conduction", 0.35, source=c.incomplete_left_bundle_branch_block, excludes=_WIDE),
    Finding("left-anterior-fascicular-block", "conduction", 1.2, source=c.left_anterior_fascicular_block, excludes=frozenset({"axis", "pattern", "right-ventricular-hypertrophy"})),
    Finding("left-posterior-fascicular-block", "conduction", 0.35, source=c.left_posterior_fascicular_block, excludes=frozenset({"axis", "pattern", "hypertrophy"})),
    Finding("bifascicular-block", "conduction", 0.35, source=c.bifascicular_block, surface=s.right_bundle_near_field(0.25, 0.8), implies=("complete-right-bundle-branch-block", "left-anterior-fascicular-block"), excludes=frozenset({"axis", "pattern", "hypertrophy"})),
    Finding("incomplete-right-bundle-branch-block", "conduction", 1.2, source=c.incomplete_right_bundle_branch_block, surface=s.right_bundle_near_field(0.07, 0.30), excludes=frozenset({"axis", "pattern"})),
    Finding("intraventricular-conduction-disturbance", "conduction", 0.8, source=c.intraventricular_delay, excludes=frozenset({"axis", "pattern"})),
    Finding("wolff-parkinson-white-left", "conduction", 0.35, source=c.left_pathway, excludes=_WIDE | {"av"}),
    Finding("wolff-parkinson-white-right", "conduction", 0.35, source=c.right_pathway, excludes=_WIDE | {"av"}),
    Finding("rsr-pattern-v1", "conduction", 0.3, source=c.rsr_pattern, surface=s.right_bundle_near_field(0.10, 0.25), excludes=frozenset({"axis", "pattern", "hypertrophy", "infarction"})),
    Finding("qrs-fragmentation", "conduction", 0.25, source=c.fragmented_qrs, excludes=frozenset({"pattern", "hypertrophy"})),
    Finding("epsilon-wave", "conduction", 0.08, surface=s.epsilon, excludes=_WIDE),
    Finding("brugada-pattern", "conduction", 0.25, surface=s.brugada, excludes=_WIDE),
    Finding("electrical-alternans", "alternans", 1.0, excludes=frozenset({"ectopy", "atrial_ectopy", "av"})),
    # --- chambers
    Finding("left-ventricular-hypertrophy", "hypertrophy", 2.2, source=m.left_ventricular_hypertrophy, excludes=frozenset({"voltage", "axis", "pattern"})),
    Finding("right-ventricular-hypertrophy", "hypertrophy", 0.7, source=m.right_ventricular_hypertrophy, excludes=frozenset({"voltage", "axis", "pattern", "infarction"})),
    Finding("septal-hypertrophy", "hypertrophy", 0.25, source=m.septal_hypertrophy, excludes=frozenset({"voltage", "axis", "pattern", "infarction"})),
    Finding("hypertrophic-cardiomyopathy-pattern", "hypertrophy", 0.15, source=m.hypertrophic_cardiomyopathy, excludes=_ST_OWN | {"voltage", "axis", "pattern"}),
    Finding("left-ventricular-strain", "strain", 1.0, source=m.left_ventricular_strain, excludes=_ST_OWN),
    Finding("left-atrial-enlargement", "atrial", 1.1, source=m.left_atrial_enlargement, surface=s.left_atrial_p),
    Finding("right-atrial-enlargement", "atrial", 0.8, source=m.right_atrial_enlargement),
    Finding("biatrial-enlargement", "atrial", 0.15, source=m.biatrial_enlargement, surface=s.left_atrial_p),
    Finding("low-qrs-voltage", "voltage", 1.0, source=m.scale_voltage(0.55, 0.85)),
    Finding("high-qrs-voltage", "voltage", 0.6, source=m.scale_voltage(1.15, 1.4)),
    # --- axis and position
    Finding("left-axis-deviation", "axis", 1.0, source=m.axis_between(-70, -40)),
    Finding("right-axis-deviation", "axis", 1.0, source=m.axis_between(98, 150)),
    Finding("extreme-axis-deviation", "axis", 0.25, source=m.axis_between(-155, -105)),
    Finding("clockwise-rotation", "pattern", 0.6, source=m.rotate_transverse(35, 55)),
    Finding("counterclockwise-rotation", "pattern", 0.5, source=m.rotate_transverse(-60, -40)),
    Finding("poor-r-wave-progression", "pattern", 0.9, surface=s.poor_r_progression, excludes=frozenset({"infarction"})),
    Finding("s1s2s3-pattern", "pattern", 0.25, source=m.s1s2s3),
    Finding("s1q3t3-pattern", "pattern", 0.2, source=m.s1q3t3, excludes=_ST_OWN),
    Finding("pulmonary-embolism-pattern", "pattern", 0.15, r.hastened_to((98, 130)), m.pulmonary_embolism, implies=("s1q3t3-pattern",), excludes=_ST_OWN | _SLOW | {"conduction", "av", "ectopy", "atrial_ectopy"}, needs_sinus=True),
    Finding("dextrocardia", "pattern", 0.12, source=m.dextrocardia, excludes=_ST_OWN | {"axis", "hypertrophy", "conduction"}),
    Finding("limb-lead-reversal", "technical", 1.0, excludes=frozenset({"axis", "pattern", "infarction", "ischemia", "hypertrophy", "conduction"})),
    # --- repolarisation
    Finding("nonspecific-st-t-change", "repolarization", 0.7, implies=("nonspecific-st-change", "nonspecific-t-wave-change")),
    Finding("nonspecific-st-change", "repolarization", 0.7, surface=s.st_shift(-0.09, -0.03)),
    Finding("nonspecific-t-wave-change", "repolarization", 0.8, surface=s.t_change(0.0, 0.5, 0.0, 0.05)),
    Finding("nondiagnostic-t-abnormality", "repolarization", 1.1, surface=s.t_change(0.0, 0.5, 0.0, 0.05)),
    Finding("t-wave-abnormality", "repolarization", 0.3, surface=s.t_change(-0.3, 0.2, 0.0, 0.15)),
    Finding("low-t-wave", "repolarization", 0.8, surface=s.flat_t),
    Finding("t-wave-inversion", "repolarization", 1.0, surface=s.t_change(0.0, 0.15, 0.08, 0.38)),
    Finding("tall-t-wave", "repolarization", 0.6, surface=s.tall_t),
    Finding("biphasic-t-wave", "repolarization", 0.4, surface=s.biphasic_t),
    Finding("u-wave", "repolarization", 0.25, r.slowed_to((50, 72)), surface=s.u_wave, excludes=_FAST, needs_sinus=True),
    Finding("inverted-u-wave", "repolarization", 0.08, r.slowed_to((50, 72)), surface=s.inverted_u, excludes=_FAST, needs_sinus=True),
    Finding("st-depression", "repolarization", 1.0, surface=s.st_shift(-0.20, -0.075)),
    Finding("st-elevation", "repolarization", 0.5, surface=s.st_shift(0.14, 0.30)),
    Finding("early-repolarization", "repolarization", 0.7, surface=s.early_repolarization, excludes=frozenset({"conduction"})),
    Finding("pericarditis", "repolarization", 0.6, surface=s.pericarditis, excludes=frozenset({"conduction", "hypertrophy"})),
    Finding("digitalis-effect", "repolarization", 0.6, surface=s.digitalis),
    Finding("hyperkalemia", "repolarization", 0.45, surface=s.hyperkalemia),
    Finding("hypokalemia", "repolarization", 0.45, surface=s.hypokalemia),
    Finding("osborn-wave", "repolarization", 0.08, r.slowed_to((40, 58)), surface=s.osborn, excludes=_FAST, needs_sinus=True),
    Finding("takotsubo-pattern", "repolarization", 0.1, surface=s.takotsubo),
    Finding("cns-pattern", "repolarization", 0.08, surface=s.cerebral_t),
    Finding("de-winter-pattern", "repolarization", 0.1, surface=s.de_winter),
    Finding("wellens-pattern", "repolarization", 0.12, surface=s.wellens),
    Finding("prolonged-qt-interval", "interval", 1.0, source=m.qtc_between(472, 550)),
    Finding("long-qt-syndrome", "interval", 0.2, source=m.qtc_between(490, 580), excludes=_ST_OWN),
    Finding("short-qt-interval", "interval", 0.45, source=m.qtc_between(300, 345)),
    Finding("hypocalcemia", "interval", 0.2, source=m.qtc_between(475, 540), excludes=_ST_OWN),
    Finding("hypercalcemia", "interval", 0.2, source=m.qtc_between(315, 352), excludes=_ST_OWN),
    # --- ischemia
    Finding("nonspecific-ischemic-change", "ischemia", 1.2, surface=inf.ischemia("nonspecific")),
    Finding("anteroseptal-ischemia", "ischemia", 0.6, surface=inf.ischemia("anteroseptal")),
    Finding("anterior-leads-ischemia", "ischemia", 0.6, surface=inf.ischemia("anterior")),
    Finding("anterolateral-ischemia", "ischemia", 1.0, surface=inf.ischemia("far_anterolateral")),
    Finding("lateral-ischemia", "ischemia", 0.6, surface=inf.ischemia("lateral")),
    Finding("inferior-ischemia", "ischemia", 0.8, surface=inf.ischemia("inferior")),
    Finding("inferolateral-ischemia", "ischemia", 0.7, surface=inf.ischemia("inferolateral")),
    Finding("subendocardial-injury-anteroseptal", "ischemia", 0.35, surface=inf.subendocardial_injury("anteroseptal")),
    Finding("subendocardial-injury-anterolateral", "ischemia", 0.4, surface=inf.subendocardial_injury("anterolateral")),
    Finding("subendocardial-injury-inferior", "ischemia", 0.2, surface=inf.subendocardial_injury("inferior")),
    Finding("subendocardial-injury-lateral", "ischemia", 0.25, surface=inf.subendocardial_injury("lateral")),
    Finding("subendocardial-injury-inferolateral", "ischemia", 0.25, surface=inf.subendocardial_injury("inferolateral")),
    Finding("nstemi-pattern", "ischemia", 0.25, surface=inf.subendocardial_injury("diffuse")),
    # --- infarction
    Finding("ventricular-aneurysm", "infarction", 0.25, surface=inf.aneurysm, implies=("q-wave", "st-elevation", "anteroseptal-myocardial-infarction", "old-myocardial-infarction"), excludes=_ST_OWN),
    Finding("q-wave", "infarction", 0.6, surface=inf.pathological_q),
    # --- signal quality
    Finding("baseline-wander", "quality", 1.0),
    Finding("muscle-artifact", "quality", 1.0),
    Finding("powerline-noise", "quality", 0.6),
    Finding("electrode-problem", "quality", 0.5),
)  # fmt: skip

TERRITORY_OF: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "anterior-myocardial-infarction": ("anterior", 1.0),
        "anteroseptal-myocardial-infarction": ("anteroseptal", 1.9),
        "anterolateral-myocardial-infarction": ("anterolateral", 0.7),
        "septal-myocardial-infarction": ("septal", 0.4),
        "extensive-anterior-myocardial-infarction": ("extensive", 0.3),
        "lateral-myocardial-infarction": ("lateral", 0.6),
        "high-lateral-myocardial-infarction": ("high_lateral", 0.3),
        "inferior-myocardial-infarction": ("inferior", 2.0),
        "inferolateral-myocardial-infarction": ("inferolateral", 0.7),
        "inferoposterior-myocardial-infarction": ("inferoposterior", 0.3),
        "inferoposterolateral-myocardial-infarction": ("inferoposterolateral", 0.25),
        "posterior-myocardial-infarction": ("posterior", 0.4),
        "right-ventricular-infarction": ("right_ventricular", 0.15),
    }
)
STAGES: Mapping[str, int] = MappingProxyType(
    {
        "acute-myocardial-infarction": inf.ACUTE,
        "stemi": inf.ACUTE,
        "old-myocardial-infarction": inf.OLD,
    }
)
COMBINED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "acute-inferior-myocardial-infarction": ("inferior-myocardial-infarction", "acute-myocardial-infarction"),
        "acute-anterior-myocardial-infarction": ("anterior-myocardial-infarction", "acute-myocardial-infarction"),
        "old-inferior-myocardial-infarction": ("inferior-myocardial-infarction", "old-myocardial-infarction"),
        "old-anterior-myocardial-infarction": ("anterior-myocardial-infarction", "old-myocardial-infarction"),
    }
)  # fmt: skip


def _registry() -> dict[str, Finding]:
    items = list(_ITEMS)
    excludes = frozenset({"nstemi-pattern", "repolarization", "pattern", "voltage"})
    items += [Finding(i, "infarction", w, excludes=excludes) for i, (_, w) in TERRITORY_OF.items()]
    items += [Finding(i, "stage", 0.0) for i in STAGES]
    items += [Finding(i, "infarction", 0.0, excludes=excludes) for i in COMBINED]
    return {item.id: item for item in items}


FINDINGS: Mapping[str, Finding] = MappingProxyType(_registry())
"""Every finding that `simulate` accepts, by its local concept id."""

_SHARED_FAMILIES = {"ectopy", "atrial_ectopy", "quality", "stage"}
_ANTERIOR = (
    "anterior-myocardial-infarction",
    "anteroseptal-myocardial-infarction",
    "anterolateral-myocardial-infarction",
)
_INFERIOR = ("inferior-myocardial-infarction", "inferolateral-myocardial-infarction")
_TOGETHER = {
    frozenset({"complete-right-bundle-branch-block", "left-posterior-fascicular-block"}),
    frozenset({"incomplete-right-bundle-branch-block", "left-anterior-fascicular-block"}),
    *(frozenset({low, front}) for low in _INFERIOR for front in _ANTERIOR),
    frozenset({"anteroseptal-myocardial-infarction", "anterolateral-myocardial-infarction"}),
    frozenset({"anteroseptal-myocardial-infarction", "lateral-myocardial-infarction"}),
    frozenset({"inferior-ischemia", "anterolateral-ischemia"}),
    frozenset({"nonspecific-t-wave-change", "nondiagnostic-t-abnormality"}),
    frozenset({"low-t-wave", "st-depression"}),
    frozenset({"low-t-wave", "digitalis-effect"}),
    frozenset({"st-depression", "t-wave-inversion"}),
    frozenset({"st-depression", "nondiagnostic-t-abnormality"}),
}
"""Pairs of one family that a heart may show at once."""


def conflicting(first: str, second: str) -> bool:
    """Return whether two findings cannot be shown by one record."""
    a, b = FINDINGS[first], FINDINGS[second]
    if first == second or a.id in b.implies or b.id in a.implies:
        return False
    if frozenset({first, second}) in _TOGETHER:
        return False
    if {first, second} == {"q-wave"} | ({first, second} & set(TERRITORY_OF)):
        return False
    if a.family == b.family and a.family not in _SHARED_FAMILIES:
        return True
    if _displaces_sinus(a, b) or _displaces_sinus(b, a):
        return True
    return bool({b.id, b.family} & a.excludes or {a.id, a.family} & b.excludes)


def _displaces_sinus(rhythm: Finding, other: Finding) -> bool:
    return other.needs_sinus and rhythm.family == "rhythm" and rhythm.id not in _SINUS


def check_findings(findings: Sequence[str]) -> None:
    """Refuse findings that are unknown or exclude each other.

    Raises:
        MerlError: Naming the finding, or the pair.
    """
    for name in findings:
        if name not in FINDINGS:
            near = get_close_matches(name, FINDINGS, n=3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
            msg = f"finding {name!r} cannot be simulated; {hint or '`merl simulate --list` names all'}"
            raise MerlError(msg)
    for i, first in enumerate(findings):
        for second in findings[i + 1 :]:
            if conflicting(first, second):
                msg = f"findings {first!r} and {second!r} exclude each other"
                raise MerlError(msg)
