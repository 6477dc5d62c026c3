"""Reports in the wording of carts, of clinicians and of German readers."""

from collections.abc import Mapping, Sequence

import numpy as np

from merl_core.simulate.phrases import PHRASES

STYLES = ("plain", "cart", "clinician", "german")
_SHARES = (0.40, 0.20, 0.25, 0.15)
_MINOR = {
    "qrs-widening", "q-wave", "clockwise-rotation", "counterclockwise-rotation", "tall-r-wave-v1",
    "reciprocal-st-depression", "prolonged-pr-interval", "low-t-wave", "high-qrs-voltage",
    "av-dissociation", "st-elevation", "st-depression", "t-wave-inversion",
}  # fmt: skip
"""What readers often leave unsaid where a diagnosis already says it."""


def write_report(
    findings: Sequence[str],
    measurements: Mapping[str, float],
    rng: np.random.Generator,
    style: str | None = None,
) -> str:
    """Return a report of the findings.

    Args:
        findings: Local concept ids, the rhythm first.
        measurements: Of the record; rate, intervals and axis are sometimes quoted.
        rng: Chooses style and wording.
        style: One of `STYLES`; None to draw one.
    """
    choice = style or STYLES[int(rng.choice(len(STYLES), p=_SHARES))]
    said = [f for f in findings if f not in _MINOR or rng.random() < 0.6] or list(findings)
    if "normal-ecg" in said:
        said = [f for f in said if f != "normal-ecg"] + ["normal-ecg"]
    words = [wording(f, rng, german=choice == "german") for f in said]
    if choice == "german":
        text = (", ", " ", ". ")[int(rng.integers(3))].join(words)
        return text.lower() if rng.random() < 0.7 else text
    if choice == "cart":
        return _cart(words, findings, rng)
    if choice == "clinician":
        return _clinician(words, measurements, rng)
    return (", ", ". ", "; ")[int(rng.integers(3))].join(words)


def wording(finding: str, rng: np.random.Generator, *, german: bool = False) -> str:
    """Return one wording of a finding; its id's words if no phrase is known."""
    english, native = PHRASES.get(finding, ((finding.replace("-", " "),), ()))
    options = native if german and native else english
    if not german and rng.random() < 0.4:
        return english[0]
    return options[int(rng.integers(len(options)))]


def _cart(words: list[str], findings: Sequence[str], rng: np.random.Generator) -> str:
    lines = [word[:1].upper() + word[1:] for word in words]
    hedged = ("Probable ", "Possible ", "Consider ", "")
    if len(lines) > 1 and rng.random() < 0.2:
        lines[-1] = hedged[int(rng.integers(4))] + words[-1]
    if "normal-ecg" not in findings and rng.random() < 0.6:
        lines.append(("Abnormal ECG", "- ABNORMAL ECG -", "Borderline ECG")[int(rng.integers(3))])
    text = ("\n", ". ", " | ")[int(rng.integers(3))].join(lines)
    return text.upper() if rng.random() < 0.3 else text


def _clinician(
    words: list[str], measurements: Mapping[str, float], rng: np.random.Generator
) -> str:
    first, rest = words[0], words[1:]
    rate = measurements.get("heart_rate_bpm", float("nan"))
    if np.isfinite(rate) and rng.random() < 0.6:
        first += f" at {rate:.0f}{(' bpm', '/min', ' beats per minute')[int(rng.integers(3))]}"
    text = first[:1].upper() + first[1:]
    if rest:
        joined = ", ".join(rest[:-1]) + (" and " if len(rest) > 1 else "") + rest[-1]
        text += (" with ", ". There is ", "; ", ", ")[int(rng.integers(4))] + joined
    quoted = []
    for name, label in (("pr_ms", "PR"), ("qrs_ms", "QRS"), ("qtc_ms", "QTc")):
        value = measurements.get(name, float("nan"))
        if np.isfinite(value) and rng.random() < 0.15:
            quoted.append(f"{label} {value:.0f} ms")
    return text + (". " + ", ".join(quoted) if quoted else "") + "."
