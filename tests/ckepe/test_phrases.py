"""Leads, ranges and features are read from a phrase as a cardiologist reads them."""

import math

import pytest

from ckepe.phrases import Span, find_features, find_leads, find_quantities, without_leads


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("ST elevation in II, III and aVF", ("II", "III", "aVF")),
        ("T inversion in V1-V4", ("V1", "V2", "V3", "V4")),
        ("T inversion from V1 through V3", ("V1", "V2", "V3")),
        ("Q waves in the inferior leads", ("II", "III", "aVF")),
        ("broad R in I, AVL, v5 and V6", ("I", "aVL", "V5", "V6")),
        ("ST depression in right precordial leads", ("V1", "V2", "V3")),
        ("second degree AV block type I", ()),
        ("Mobitz II block", ()),
        ("inferior myocardial infarction", ()),
        ("no leads named", ()),
    ],
)
def test_leads_are_found_singly_as_ranges_and_as_groups(text: str, leads: tuple[str, ...]) -> None:
    assert set(find_leads(text)) == set(leads)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("QRS duration of 120 ms or more", Span(120, math.inf, "ms")),
        ("QRS >= 0.12 s", Span(120, math.inf, "ms")),
        ("QRS under 100 ms", Span(-math.inf, 100, "ms")),
        ("PR interval longer than 200 milliseconds", Span(200, math.inf, "ms")),
        ("QRS between 110 and 119 ms", Span(110, 119, "ms")),
        ("axis from -30 to -90 degrees", Span(-90, -30, "deg")),
        ("ST elevation of at least 1 mm", Span(0.1, math.inf, "mV")),
        ("rate over 100 beats per minute", Span(100, math.inf, "bpm")),
        ("rate below 60/min", Span(-math.inf, 60, "bpm")),
        ("QTc of 480 ms", Span(480, 480, "ms")),
    ],
)
def test_ranges_are_read_with_their_unit(text: str, span: Span) -> None:
    (found,) = find_quantities(text)
    assert found.unit == span.unit
    assert found.low == pytest.approx(span.low)
    assert found.high == pytest.approx(span.high)


def test_lead_names_are_no_quantities() -> None:
    assert find_quantities("ST elevation in V1 to V3") == ()


@pytest.mark.parametrize(
    ("text", "feature", "is_negated"),
    [
        ("absent P waves", "p_wave", True),
        ("no P waves", "p_wave", True),
        ("inverted T waves in V2", "t_inverted", False),
        ("T wave inversion", "t_inverted", False),
        ("irregularly irregular RR intervals", "rr_irregular", False),
        ("QRS axis beyond -45 degrees", "qrs_axis", False),
        ("R wave in aVL > 11 mm", "r_amplitude", False),
        ("raised ST segment", "st_elevation", False),
    ],
)
def test_features_are_found_in_any_word_order(text: str, feature: str, is_negated: bool) -> None:
    mention = find_features(text)[0]
    assert (mention.feature, mention.is_negated) == (feature, is_negated)


def test_a_feature_within_a_longer_one_is_not_counted_twice() -> None:
    assert [m.feature for m in find_features("QRS axis")] == ["qrs_axis"]


def test_leads_are_left_out_and_types_are_kept() -> None:
    assert without_leads("ST elevation in II, III and aVF") == "ST elevation"
    assert without_leads("Mobitz type II") == "Mobitz type II"
