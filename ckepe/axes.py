"""Axes on which ECG phrases oppose each other: elevation or depression, left or right."""

import re
from functools import lru_cache
from typing import Final

from knowledge_sources.naming import expand_acronyms, normalize_name

AXES: Final[dict[str, dict[str, frozenset[str]]]] = {
    "deviation": {
        "up": frozenset({"elevation", "elevated", "raised", "elevat"}),
        "down": frozenset({"depression", "depressed", "lowered", "downsloping"}),
    },
    "completeness": {
        "complete": frozenset({"complete", "full", "kompletter", "completo", "komplett"}),
        "incomplete": frozenset({"incomplete", "partial", "inkompletter", "incompleto"}),
    },
    "side": {
        "left": frozenset({"left", "leftward", "linksschenkelblock", "linkstyp"}),
        "right": frozenset({"right", "rightward", "rechtsschenkelblock", "rechtstyp"}),
    },
    "wall": {
        "anterior": frozenset({"anterior", "vorderwand", "vorderwandinfarkt"}),
        "inferior": frozenset({"inferior", "diaphragmatic", "hinterwandinfarkt"}),
        "lateral": frozenset({"lateral"}),
        "septal": frozenset({"septal"}),
        "posterior": frozenset({"posterior", "strictly posterior"}),
        "anteroseptal": frozenset({"anteroseptal"}),
        "anterolateral": frozenset({"anterolateral"}),
        "inferolateral": frozenset({"inferolateral"}),
        "inferoposterior": frozenset({"inferoposterior", "posteroinferior"}),
        "posterolateral": frozenset({"posterolateral"}),
        "posteroseptal": frozenset({"posteroseptal"}),
        "inferoseptal": frozenset({"inferoseptal"}),
        "basal": frozenset({"anterobasal", "inferobasal", "posterobasal"}),
        "apical": frozenset({"apical", "anteroapical", "inferoapical"}),
    },
    "atrial rhythm": {
        "fibrillation": frozenset({"fibrillation", "flimmern", "fibrilacion", "fibrillatory"}),
        "flutter": frozenset({"flutter", "flattern", "sawtooth"}),
    },
    "rate": {
        "tachycardia": frozenset({"tachycardia", "tachy", "fast", "rapid", "tachykardie"}),
        "bradycardia": frozenset({"bradycardia", "brady", "slow", "bradykardie"}),
    },
    "ordinal": {
        "first": frozenset({"first"}),
        "second": frozenset({"second"}),
        "third": frozenset({"third"}),
        "fourth": frozenset({"fourth"}),
        "fifth": frozenset({"fifth"}),
    },
    "rotation": {
        "clockwise": frozenset({"clockwise"}),
        "counterclockwise": frozenset({"counterclockwise", "anticlockwise"}),
    },
    "duration": {
        "prolonged": frozenset({"prolonged", "long", "prolongation", "lengthened", "delayed"}),
        "shortened": frozenset({"shortened", "short", "shortening"}),
    },
    "height": {
        "high": frozenset({"high", "tall", "increased", "peaked", "large"}),
        "low": frozenset({"low", "flat", "flattened", "reduced", "decreased", "diminished"}),
    },
    "width": {
        "wide": frozenset({"wide", "broad", "widened", "widening"}),
        "narrow": frozenset({"narrow"}),
    },
    "regularity": {
        "regular": frozenset({"regular"}),
        "irregular": frozenset({"irregular", "irregularly"}),
    },
    "polarity": {
        "upright": frozenset({"upright", "positive"}),
        "inverted": frozenset({"inverted", "inversion", "negative"}),
    },
    "electrolyte": {
        "potassium up": frozenset({"hyperkalemia"}),
        "potassium down": frozenset({"hypokalemia"}),
        "calcium up": frozenset({"hypercalcemia"}),
        "calcium down": frozenset({"hypocalcemia"}),
    },
    "age": {
        "acute": frozenset({"acute", "recent", "evolving", "hyperacute"}),
        "old": frozenset({"old", "healed", "prior", "previous", "chronic"}),
    },
    "chamber": {
        "atrial": frozenset({"atrial", "atrium", "auricular"}),
        "ventricular": frozenset({"ventricular", "ventricle"}),
        "junctional": frozenset({"junctional", "nodal"}),
        "supraventricular": frozenset({"supraventricular"}),
    },
    "normality": {
        "abnormal": frozenset({"abnormal", "pathological", "abnormality"}),
        "normal": frozenset({"normal", "physiological"}),
    },
    "presence": {
        "absent": frozenset({"absent", "absence", "no", "without", "loss", "lack", "not"}),
    },
    "constancy": {
        "constant": frozenset({"constant", "fixed", "unchanged"}),
        "varying": frozenset({"varying", "variable", "changing", "vary", "varies"}),
    },
    "grouping": {
        "bigeminy": frozenset({"bigeminy", "bigeminal"}),
        "trigeminy": frozenset({"trigeminy", "trigeminal"}),
    },
}
_SECONDS: Final = re.compile(r"\d\s*seconds?\b")
_POLE_OF: Final = {
    word: (axis, pole) for axis, poles in AXES.items() for pole, words in poles.items()
    for word in words
}  # fmt: skip


@lru_cache(maxsize=65536)
def poles(text: str) -> frozenset[tuple[str, str]]:
    """Return the (axis, pole) pairs that a text names."""
    words = expand_acronyms(normalize_name(_SECONDS.sub(" ", text))).split()
    return frozenset(_POLE_OF[w] for w in words if w in _POLE_OF)


def opposing_axis(one: str, other: str) -> str | None:
    """Return the axis on which two texts take different poles; None where they agree.

    A text that names no pole, or both, agrees with any.
    """
    first, second = poles(one), poles(other)
    for axis in AXES:
        ones = {pole for a, pole in first if a == axis}
        others = {pole for a, pole in second if a == axis}
        if ones and others and not ones & others:
            return axis
    return None


def same_poles(one: str, other: str) -> bool:
    """Return whether two texts name exactly the same poles: needed before a fuzzy match counts."""
    return poles(one) == poles(other)


_ROMAN_NUMERALS: Final = frozenset({"i", "ii", "iii", "iv"})


def numerals(text: str) -> list[str]:
    """Return the numbers of a text, Roman ones too: `type I` and `type II` are not alike."""
    words = normalize_name(text).split()
    return sorted(w for w in words if w.isdigit() or w in _ROMAN_NUMERALS)
