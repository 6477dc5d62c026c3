"""Whether what a phrase says meets a structured criterion, opposes it, or neither."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from ckepe.axes import opposing_axis
from ckepe.phrases import (
    LEAD_GROUPS,
    Mention,
    Span,
    criterion_span,
    features,
    find_features,
    find_leads,
    find_quantities,
    spell_out,
)
from knowledge_sources.concept import Comparator, Concept, Criterion

_OPPOSED: Final = (
    ("st_elevation", "st_depression"), ("j_point_elevation", "st_depression"),
    ("st_concave", "st_convex"), ("qrs_wide", "qrs_narrow"), ("rr_regular", "rr_irregular"),
    ("t_inverted", "t_tall"), ("t_flat", "t_tall"), ("pr_progressive", "pr_constant"),
    ("early_transition", "late_transition"), ("flutter_waves", "fibrillatory_waves"),
    ("absent_q", "pathological_q"), ("p_morphology_sinus", "p_morphology_ectopic"),
    ("fibrillatory_waves", "p_before_every_qrs"), ("fibrillatory_waves", "p_wave"),
    ("fibrillatory_waves", "p_morphology_sinus"), ("low_voltage", "tall_r"),
    ("sudden_onset", "gradual_onset"), ("escape_beat", "premature_beat"), ("p_flat", "p_peaked"),
)  # fmt: skip
_OPPOSITE: Final = {frozenset(pair) for pair in _OPPOSED}

_COMPLEMENTARY: Final = {
    frozenset(pair)
    for pair in (
        ("qrs_wide", "qrs_narrow"), ("rr_regular", "rr_irregular"), ("st_change", "st_isoelectric"),
        ("t_inverted", "t_upright"), ("t_change", "t_upright"),
    )
}  # fmt: skip
"""Signs of which one holds where the other does not: to deny one is to say the other."""

_SIGN_OF_MEASURE: Final[dict[str, tuple[str, Span]]] = {
    "qrs_wide": ("qrs_duration", Span(110, float("inf"), "ms")),
    "qrs_narrow": ("qrs_duration", Span(float("-inf"), 120, "ms")),
    "low_voltage": ("qrs_amplitude", Span(float("-inf"), 1.0, "mV")),
    "t_inverted": ("t_amplitude", Span(float("-inf"), 0.0, "mV")),
    "tall_r": ("r_amplitude", Span(0.5, float("inf"), "mV")),
    "deep_s": ("s_amplitude", Span(0.5, float("inf"), "mV")),
    "p_peaked": ("p_amplitude", Span(0.2, float("inf"), "mV")),
    "pathological_q": ("q_duration", Span(20, 200, "ms")),
    "p_inverted": ("p_amplitude", Span(float("-inf"), 0.0, "mV")),
}
"""A sign in words, and the measurement that says the same in numbers."""
_RELATED: Final = {
    "st_elevation": {"st_concave", "st_convex", "j_point_elevation", "st_change"},
    "st_depression": {"st_downsloping", "st_horizontal", "st_scooped", "st_change"},
    "t_inverted": {"t_change"}, "t_flat": {"t_change"}, "t_tall": {"t_change"},
    "t_biphasic": {"t_change"}, "qt_interval": {"qtc_interval"}, "qtc_interval": {"qt_interval"},
    "qs_or_rs": {"deep_s", "rs_complex"}, "rs_complex": {"qs_or_rs", "deep_s"},
    "deep_s": {"qs_or_rs", "rs_complex", "broad_s"}, "broad_s": {"deep_s"},
    "broad_r": {"tall_r", "qrs_notched"}, "pathological_q": {"q_duration", "q_amplitude"},
    "p_notched": {"p_duration"}, "p_peaked": {"p_amplitude"},
    "axis_shift": {"qrs_axis"},
    "strain_pattern": {"st_discordant"}, "st_discordant": {"strain_pattern"},
}  # fmt: skip
"""Feature -> features that say a part of the same: asked for one, the other supports it."""
_MOST_LEADS: Final = 0.6
_TOLERANCE: Final = 0.02
_MOST_TIMES: Final = 5.0


class Fit(Enum):
    """How a phrase stands to a criterion."""

    MET = "met"
    OPPOSED = "opposed"
    ELSEWHERE = "elsewhere"
    """The same feature in leads that the criterion does not name."""
    LOOSER = "looser"
    """The same measurement with a range that says less, or only partly agrees."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a phrase claims, as data."""

    text: str
    mentions: tuple[Mention, ...]
    leads: tuple[str, ...]
    spans: tuple[Span, ...]


def read_claim(text: str) -> Claim:
    """Return what a phrase claims: features, leads and ranges.

    A measurement that is named without a value or a direction (`the QRS`) claims nothing beside
    other features.
    """
    text = spell_out(text)
    spans = find_quantities(text)
    units = {span.unit for span in spans}
    mentions = find_features(text)
    telling = tuple(m for m in mentions if _tells(m, units))
    return Claim(text, telling, find_leads(text), spans)


def as_rate(claim: Claim) -> Claim:
    """Return a claim of the RR interval as one of the heart rate: below 600 ms is above 100 bpm."""
    if "rr_interval" not in {m.feature for m in claim.mentions}:
        return claim
    mentions = tuple(
        replace(m, feature="heart_rate") if m.feature == "rr_interval" else m
        for m in claim.mentions
    )
    spans = tuple(_to_rate(s) if s.unit == "ms" else s for s in claim.spans)
    return replace(claim, mentions=mentions, spans=spans)


def _to_rate(span: Span) -> Span:
    low = 0.0 if math.isinf(span.high) else 60_000 / span.high
    return Span(low, 60_000 / span.low if span.low > 0 else math.inf, "bpm")


_BOUNDARY: Final = re.compile(
    r"\s*[,;]\s*(?:and\s+|then\s+|with\s+|but\s+)*"
    r"|\s+(?:and|with|then|but|followed by)\s+|\s+(?=without\b)"
)
_SPANNING: Final = 3
"""A feature of so many words may reach over a clause's end."""


def read_clauses(text: str) -> tuple[Claim, ...]:
    """Return what each clause of a description claims: `QRS 130 ms with rSR' in V1` claims two.

    A clause begins where a new feature is named; leads named after a list of features (`Q waves
    and ST elevation in I and aVL`) hold for all of it.
    """
    whole = read_claim(text)
    pieces = _clauses(text)
    if len(pieces) < 2:
        return (whole,)
    claims: list[Claim] = []
    for joint, piece in reversed(pieces):
        claim = read_claim(piece)
        is_list = joint == "and" and claims and not opposing_axis(piece, claims[0].text)
        if is_list and not claim.leads:
            claim = replace(claim, leads=claims[0].leads)
        claims.insert(0, claim)
    read = {m.feature for claim in claims for m in claim.mentions}
    rest = tuple(m for m in whole.mentions if m.feature not in read and m.n_words >= _SPANNING)
    return (*claims, replace(whole, mentions=rest)) if rest else tuple(claims)


def _clauses(text: str) -> list[tuple[str, str]]:
    """The clauses, each with the word that joins it to the next."""
    found: list[tuple[str, str]] = []
    start = 0
    for joint in _BOUNDARY.finditer(text):
        piece = text[start : joint.start()]
        if read_claim(piece).mentions and _begins_feature(text[joint.end() :]):
            found.append((joint[0].strip(), piece))
            start = joint.end()
    return [*found, ("", text[start:])]


def _begins_feature(rest: str) -> bool:
    """Whether what follows a joint names a feature before the next joint."""
    following = _BOUNDARY.search(rest)
    return bool(read_claim(rest[: following.start()] if following else rest).mentions)


def _tells(mention: Mention, units: set[str]) -> bool:
    unit = features()[mention.feature].unit
    return unit is None or unit in units or mention.direction is not None or mention.n_words > 1


def criterion_leads(criterion: Criterion) -> tuple[str, ...]:
    """Return the leads that a criterion holds in; those of its territory if it names one."""
    return criterion.leads or LEAD_GROUPS.get(criterion.territory or "", ())


def fit_mention(mention: Mention, claim: Claim, criterion: Criterion) -> Fit:
    """Return how one feature of a claim stands to a criterion."""
    leads = criterion_leads(criterion)
    is_same = mention.feature == criterion.feature
    is_related = criterion.feature in _RELATED.get(mention.feature, ())
    if not is_same and not is_related:
        return _fit_across(mention, claim, criterion, leads)
    if mention.is_negated != (criterion.comparator is Comparator.ABSENT):
        return Fit.OPPOSED
    if mention.direction == "normal" and mention.feature in _PATHOLOGICAL:
        return Fit.OPPOSED
    if not _leads_agree(claim.leads, leads):
        return Fit.ELSEWHERE
    if opposing_axis(claim.text, criterion.text) in _WORD_AXES:
        return Fit.OPPOSED
    if not claim.leads and leads == ("aVR",):
        return Fit.NONE  # what is so in aVR alone is not so in general
    if mention.direction is not None and not claim.spans and criterion.value is not None:
        return _fit_direction(mention.direction, criterion)
    return _fit_range(claim.spans, criterion)


_NEEDS_P: Final = frozenset({"p_before_every_qrs", "p_morphology_sinus"})
"""Signs that there cannot be without P waves."""
_PATHOLOGICAL: Final = frozenset(
    {"pathological_q", "p_morphology_ectopic", "t_change", "st_change"}
)
"""Signs that are none where they are normal."""
_WORD_AXES: Final = frozenset(
    {"deviation", "side", "rate", "rotation", "regularity", "polarity", "ordinal", "completeness"}
)
"""Axes on which a phrase and a criterion of the same feature may still say the opposite."""
_UPWARD: Final = frozenset({Comparator.AT_LEAST, Comparator.MORE_THAN})
_DOWNWARD: Final = frozenset({Comparator.AT_MOST, Comparator.LESS_THAN})


def _fit_direction(direction: str, criterion: Criterion) -> Fit:
    """A measurement said to be long or short against a limit."""
    if direction == "normal":
        return Fit.MET if "normal" in criterion.text.casefold().split() else Fit.OPPOSED
    if criterion.comparator in _UPWARD:
        return Fit.MET if direction == "up" else Fit.OPPOSED
    if criterion.comparator in _DOWNWARD:
        return Fit.MET if direction == "down" else Fit.OPPOSED
    return Fit.MET


def _fit_across(mention: Mention, claim: Claim, criterion: Criterion, leads: Sequence[str]) -> Fit:
    """A sign against a measurement of the same thing, or against its opposite."""
    pair = frozenset((mention.feature, criterion.feature))
    if pair in _COMPLEMENTARY and criterion.comparator is not Comparator.ABSENT:
        return Fit.MET if mention.is_negated else Fit.OPPOSED
    if pair in _OPPOSITE:
        is_affirmed = not mention.is_negated and criterion.comparator is not Comparator.ABSENT
        touches = not claim.leads or not leads or bool(set(claim.leads) & set(leads))
        return Fit.OPPOSED if is_affirmed and touches else Fit.NONE
    if mention.is_negated and mention.feature == "p_wave" and criterion.feature in _NEEDS_P:
        return Fit.NONE if criterion.comparator is Comparator.ABSENT else Fit.OPPOSED
    for sign, measured in (
        (mention.feature, criterion.feature), (criterion.feature, mention.feature)
    ):  # fmt: skip
        feature, implied = _SIGN_OF_MEASURE.get(sign, ("", None))
        if feature != measured or implied is None:
            continue
        if not _leads_agree(claim.leads, leads):
            return Fit.ELSEWHERE
        spans = (criterion_span(criterion),) if sign == mention.feature else claim.spans
        stated = [s for s in spans if s is not None and s.unit == implied.unit]
        if not stated and mention.direction in ("up", "down"):
            says_more = math.isinf(implied.high)
            return Fit.MET if says_more == (mention.direction == "up") else Fit.OPPOSED
        if not stated:
            return Fit.NONE if mention.is_negated else Fit.MET
        agrees = implied.overlaps(stated[0]) and implied.contains(stated[0], 0.2)
        return Fit.MET if agrees != mention.is_negated else Fit.OPPOSED
    return Fit.NONE


def _leads_agree(claimed: Sequence[str], expected: Sequence[str]) -> bool:
    if not claimed or not expected:
        return True
    shared = set(claimed) & set(expected)
    return len(shared) >= _MOST_LEADS * len(set(claimed))


def _fit_range(spans: Iterable[Span], criterion: Criterion) -> Fit:
    expected = criterion_span(criterion)
    stated = [s for s in spans if expected is not None and s.unit == expected.unit]
    if expected is None or not stated:
        return Fit.MET
    span = stated[0]
    if expected.contains(span, _TOLERANCE):
        return Fit.OPPOSED if _is_absurd(expected, span) else Fit.MET
    if not expected.overlaps(span):
        return Fit.OPPOSED
    return Fit.MET if _share_an_end(expected, span) else Fit.LOOSER


def _is_absurd(expected: Span, span: Span) -> bool:
    """Whether a value lies so far beyond a limit that it must be an error: a Q wave of 400 ms."""
    has_lower_limit = math.isfinite(expected.low) and math.isinf(expected.high)
    return has_lower_limit and 0 < _MOST_TIMES * expected.low < span.low


def _share_an_end(expected: Span, span: Span) -> bool:
    """Whether a one-sided claim begins where the criterion's range begins, or ends where it ends.

    `axis beyond +90 degrees` says the same as 90 to 180; `QRS over 100 ms` not the same as 120.
    """
    if math.isinf(span.high) and math.isfinite(expected.high):
        return math.isclose(span.low, expected.low, rel_tol=_TOLERANCE)
    if math.isinf(span.low) and math.isfinite(expected.low):
        return math.isclose(span.high, expected.high, rel_tol=_TOLERANCE)
    return False


def implies(concept: Concept, criterion: Criterion) -> bool:
    """Return whether a criterion of another concept shows `concept` itself.

    So `left axis deviation` is an attribute of whatever demands an axis beyond -30 degrees. Only
    concepts that exactly one required criterion defines can be shown so.
    """
    defining = [c for c in concept.criteria if c.is_required]
    if len(defining) != 1 or criterion.comparator is Comparator.ABSENT:
        return False
    own = defining[0]
    if own.feature != criterion.feature and own.feature not in _RELATED.get(criterion.feature, ()):
        return False
    if criterion_leads(own) and not criterion_leads(criterion):
        return False
    if not _leads_agree(criterion_leads(own), criterion_leads(criterion)):
        return False
    mine, theirs = criterion_span(own), criterion_span(criterion)
    if mine is None or theirs is None or mine.unit != theirs.unit:
        return True
    return mine.contains(theirs, _TOLERANCE) or theirs.contains(mine, _TOLERANCE)


def is_for_children(criterion: Criterion) -> bool:
    """Return whether a criterion holds for children only; a phrase without age means adults."""
    condition = (criterion.condition or "").casefold()
    return (
        "child" in condition or "age <" in condition.replace("age < 40", "") or "8 to" in condition
    )


def measures_same(feature: str, measurement: str) -> bool:
    """Return whether a sign in words and a measurement say the same thing."""
    return _SIGN_OF_MEASURE.get(feature, ("", None))[0] == measurement or measurement in (
        _RELATED.get(feature, ())
    )
