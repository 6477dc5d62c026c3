"""What a phrase says: leads, quantities with units, features and negation."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from rapidfuzz.distance import LCSseq

from knowledge_sources.concept import Comparator, Criterion
from knowledge_sources.ecg_statements import Feature, load_features
from knowledge_sources.naming import expand_acronyms, normalize_name

_CHEST: Final = tuple(f"V{i}" for i in range(1, 7))
_LIMB: Final = ("I", "II", "III", "aVR", "aVL", "aVF")
LEAD_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "anteroseptal": ("V1", "V2", "V3", "V4"),
    "anterolateral": ("V3", "V4", "V5", "V6", "I", "aVL"),
    "inferolateral": ("II", "III", "aVF", "V5", "V6", "I", "aVL"),
    "inferoposterior": ("II", "III", "aVF", "V7", "V8", "V9"),
    "high lateral": ("I", "aVL"),
    "left lateral": ("I", "aVL", "V5", "V6"),
    "right precordial": ("V1", "V2", "V3"),
    "left precordial": ("V4", "V5", "V6"),
    "mid precordial": ("V3", "V4"),
    "precordial": _CHEST,
    "chest": _CHEST,
    "limb": _LIMB,
    "inferior": ("II", "III", "aVF"),
    "lateral": ("I", "aVL", "V5", "V6"),
    "anterior": ("V1", "V2", "V3", "V4"),
    "septal": ("V1", "V2"),
    "posterior": ("V7", "V8", "V9"),
    "right sided": ("V3R", "V4R", "V1"),
}
"""Leads of a territory. Source: Thygesen et al. 2018 (fourth universal definition), Table 2;
Wagner et al. 2009."""

_ROMAN: Final = r"(?:III|II|I|aVR|aVL|aVF|AVR|AVL|AVF|avr|avl|avf)"
_LEAD: Final = re.compile(rf"(?<![\w-])(?:[Vv][1-9](?:R\b)?|{_ROMAN}(?![\w-]))")
_CHEST_RANGE: Final = re.compile(r"\b[Vv]([1-9])\s*(?:-|–|to|through|bis)\s*[Vv]?([1-9])\b")
_NUMERAL_BEFORE: Final = re.compile(
    r"(?:type|typ|tipo|mobitz|class|grade|degree|stage|phase|group)\s*$", re.IGNORECASE
)
_LEADS_SPAN: Final = re.compile(
    rf"(?:\b(?:in|on|of|across|at|leads?|and|or|to|through)\b|[,&/–-]|\s|[Vv][1-9]R?\b"
    rf"|(?<![\w-]){_ROMAN}(?![\w-]))+"
)


def find_leads(text: str) -> tuple[str, ...]:
    """Return the leads that a text names, singly, as a range, or as a group (`inferior leads`)."""
    found: dict[str, None] = {}
    for start, end in _CHEST_RANGE.findall(text):
        first, last = sorted((int(start), int(end)))
        found.update(dict.fromkeys(f"V{i}" for i in range(first, last + 1)))
    for match in _LEAD.finditer(text):
        if not _NUMERAL_BEFORE.search(text[: match.start()]):
            found[_spell_lead(match[0])] = None
    folded = normalize_name(text)
    for name, leads in LEAD_GROUPS.items():
        if re.search(rf"\b{name} (?:\w+ ){{0,2}}(?:lead|derivation)\b", folded) or (
            name in ("precordial", "chest") and re.search(rf"\b{name} lead", folded)
        ):
            found.update(dict.fromkeys(leads))
            break
    return tuple(found)


def _spell_lead(name: str) -> str:
    upper = name.upper()
    return f"aV{upper[2]}" if upper.startswith("AV") else upper


@dataclass(frozen=True, slots=True)
class Span:
    """A range of values, ends included unless said otherwise."""

    low: float
    high: float
    unit: str

    def contains(self, other: "Span", tolerance: float = 0.0) -> bool:
        """Return whether `other` lies within this range, its ends blurred by `tolerance`."""
        blur = tolerance * max(map(abs, filter(math.isfinite, (self.low, self.high))), default=0)
        return self.low - blur <= other.low and other.high <= self.high + blur

    def overlaps(self, other: "Span") -> bool:
        """Return whether the two ranges share more than an end."""
        return max(self.low, other.low) < min(self.high, other.high) or self == other


_UNITS: Final = {
    "ms": ("ms", 1.0), "msec": ("ms", 1.0), "millisecond": ("ms", 1.0), "s": ("ms", 1000.0),
    "sec": ("ms", 1000.0), "second": ("ms", 1000.0), "mv": ("mV", 1.0), "millivolt": ("mV", 1.0),
    "uv": ("mV", 0.001), "µv": ("mV", 0.001), "μv": ("mV", 0.001), "mm": ("mV", 0.1),
    "millimeter": ("mV", 0.1), "millimetre": ("mV", 0.1), "deg": ("deg", 1.0),
    "degree": ("deg", 1.0), "°": ("deg", 1.0), "bpm": ("bpm", 1.0), "/min": ("bpm", 1.0),
    "beats/min": ("bpm", 1.0), "beats per minute": ("bpm", 1.0), "per minute": ("bpm", 1.0),
    "beats a minute": ("bpm", 1.0), "/minute": ("bpm", 1.0), "beats/minute": ("bpm", 1.0),
}  # fmt: skip
_UNIT: Final = (
    r"(?P<unit>milliseconds?|msecs?|ms|seconds?|secs?|s|millivolts?|mv|[uµμ]v|mm"
    r"|millimet(?:er|re)s?"
    r"|degrees?|deg|°|bpm|beats ?/ ?min(?:ute)?|beats per minute|beats a minute|per minute"
    r"|/ ?min(?:ute)?)(?![\w])"
)
_NUMBER: Final = r"[-+−]?\d+(?:[.,]\d+)?"
_BETWEEN: Final = re.compile(
    rf"(?:between\s+|from\s+)?(?P<low>{_NUMBER})\s*(?:°|degrees|deg|ms|mv|bpm|s)?\s*"
    rf"(?:and|to|-|–|through|bis)\s*(?P<high>{_NUMBER})\s*{_UNIT}",
    re.IGNORECASE,
)
_MORE: Final = (
    r">=?|≥|at least|more than|greater than|over|above|exceed(?:s|ing)?|longer than|wider than"
    r"|beyond|higher than|larger than|taller than|deeper than|faster than|minimum of|from"
    r"|less negative than|broader than|equal to or more than|greater than or equal to|mehr als"
    r"|mindestens|más de"
)
_LESS: Final = (
    r"<=?|≤|more negative than|at most|less than|under|below|shorter than|narrower than"
    r"|lower than|smaller than"
    r"|up to|slower than|not exceeding|no more than|not more than|within|maximum of|unter"
    r"|weniger als"
)
_COMPARED: Final = re.compile(
    rf"(?:(?P<more>{_MORE})|(?P<less>{_LESS}))?\s*(?:or equal to\s*)?(?P<value>{_NUMBER})\s*{_UNIT}"
    r"\s*(?P<after>or more|or longer|or greater|or above|or higher|and more|or wider|or over"
    r"|or less|or shorter|or below|or lower|or under|or narrower|or fewer)?",
    re.IGNORECASE,
)


_RATIO: Final = re.compile(
    r"(?<![\d:])(\d{1,2})\s*(?::|to)\s*([1-9])(?=\s+(?:AV|conduction|block|ratio))"
)
"""Conduction: `2:1`, `3 to 1`."""
_WAVE_AND_LEAD: Final = re.compile(r"\b([PQRSTpqrst])[- ]?(V[1-9]|aV[LRF])\b")
_SHORTHAND: Final = (
    (re.compile(r"(?<=\w)\s*\+\s*(?=[A-Z]\b)"), " plus "),
    (
        re.compile(
            r"(\b(?:QTc?|PR|PQ|QRS)(?: interval| duration| time)?(?: of| is|:)?"
            r"\s*[<>=≥≤]*\s*\d{2,3})(?![\d.,:%°/]|\s*(?:ms|milli|s\b|sec|mm|mV|bpm|deg|to\b|and\b|-|–|per))"
        ),
        r"\1 ms",
    ),
    (
        re.compile(
            r"(\b[Rr]ate(?: of| is| at|:)?\s*[<>=≥≤]*\s*\d{2,3})(?![\d.,:%°/]"
            r"|\s*(?:bpm|beats|per|a minute|/|to\b|and \d|-|–))"
        ),
        r"\1 bpm",
    ),
    (re.compile(r"\b([PR])-\1\b"), r"\1\1"),
    (re.compile(r"\bF[- ]?waves?\b"), "flutter waves"),
    (re.compile(r"\bf[- ]?waves?\b"), "fibrillatory waves"),
    (
        re.compile(r"\bP[- ]?waves? without (?:an? )?(?:following |conducted )?QRS\b(?: complex)?"),
        "non-conducted P wave",
    ),
    (
        re.compile(
            r"\bR(?: waves?)? (?:is |are )?(?:larger|greater|taller|bigger|higher) than"
            r" (?:the )?S\b"
        ),
        "R/S ratio above 1,",
    ),
    (
        re.compile(r"\bR(?: waves?)? (?:is |are )?(?:smaller|less|lower) than (?:the )?S\b"),
        "R/S ratio below 1,",
    ),
    (re.compile(r"\b(?:minus|negative) (?=\d)"), "-"),
    (re.compile(r"\bplus (?=\d)"), "+"),
    (
        re.compile(
            r"(\baxis\b(?:\s+(?:is|of|at|beyond|above|below|over|under|to|more than|less than))*"
            r"\s*[<>≤≥]?=?\s*[-+−]?\d+)(?!\s*(?:°|deg|to\b|and\b|bis\b|[-–.,]?\d))"
        ),
        r"\1 degrees",
    ),
)
"""What is written short, and in full; capital F are the waves of flutter, small f of
fibrillation; an axis without a unit is in degrees, an interval in milliseconds."""


def spell_out(text: str) -> str:
    """Return a phrase with its shorthand written out: `SV1 + RV5` is `S in V1 plus R in V5`."""
    written = _WAVE_AND_LEAD.sub(lambda m: f"{m[1].upper()} in {m[2]}", text)
    for pattern, full in _SHORTHAND:
        written = pattern.sub(full, written)
    return written


@lru_cache(maxsize=4096)
def find_quantities(text: str) -> tuple[Span, ...]:
    """Return the ranges that a text names, in ms, mV, degrees or beats per minute."""
    plain = text.replace("−", "-")
    found, rest = [], plain
    for match in _BETWEEN.finditer(plain):
        low, high = _number(match["low"]), _number(match["high"])
        unit, factor = _unit(match["unit"])
        first, last = sorted((low * factor, high * factor))
        found.append(Span(first, last, unit))
        rest = rest.replace(match[0], " ")
    for match in _RATIO.finditer(plain):
        ratio = int(match[1]) / int(match[2])
        found.append(Span(ratio, ratio, "ratio"))
    found += [_to_span(match) for match in _COMPARED.finditer(rest)]
    return tuple(found)


def _to_span(match: re.Match[str]) -> Span:
    unit, factor = _unit(match["unit"])
    value = _number(match["value"]) * factor
    after = (match["after"] or "").casefold()
    if unit == "deg" and value < 0 and (match["more"] or "").casefold() == "beyond":
        return Span(-math.inf, value, unit)
    upwards = ("more", "longer", "greater", "above", "higher", "wider", "over")
    if match["more"] or after.endswith(upwards):
        return Span(value, math.inf, unit)
    if match["less"] or after:
        return Span(-math.inf, value, unit)
    return Span(value, value, unit)


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _unit(text: str) -> tuple[str, float]:
    key = re.sub(r"\s*/\s*", "/", text.casefold())
    return _UNITS.get(key) or _UNITS[key.rstrip("s")]


def criterion_span(criterion: Criterion) -> Span | None:
    """Return a criterion's range; None for a sign that is present or absent."""
    if criterion.value is None or criterion.unit is None:
        return None
    unit, factor = ("mV", 0.1) if criterion.unit == "mm" else (criterion.unit, 1.0)
    value = criterion.value * factor
    match criterion.comparator:
        case Comparator.AT_LEAST | Comparator.MORE_THAN:
            return Span(value, math.inf, unit)
        case Comparator.AT_MOST | Comparator.LESS_THAN:
            return Span(-math.inf, value, unit)
        case Comparator.BETWEEN:
            upper = (criterion.upper if criterion.upper is not None else criterion.value) * factor
            low, high = sorted((value, upper))
            return Span(low, high, unit)
        case _:
            return None


_STEMS: Final = {
    "inversion": "invert", "inverted": "invert", "negative": "invert", "elevation": "elevat",
    "elevated": "elevat", "raised": "elevat", "depression": "depress", "depressed": "depress",
    "lowered": "depress", "prolonged": "prolong", "prolongation": "prolong",
    "lengthening": "lengthen",
    "widened": "wide", "broad": "wide", "broadened": "wide", "widening": "wide", "wider": "wide",
    "notching": "notch", "notched": "notch", "slurring": "slur", "slurred": "slur",
    "prominent": "tall", "high": "tall", "dominant": "tall", "peaked": "peak", "pointed": "peak",
    "deviated": "deviat", "deviation": "deviat", "flattened": "flat", "flattening": "flat",
    "absence": "absent", "missing": "absent", "loss": "absent", "lack": "absent", "no": "absent",
    "without": "absent", "irregularly": "irregular", "irregularity": "irregular",
    "irregularity's": "irregular", "fibrillation": "fibrillat", "fibrillatory": "fibrillat",
    "sawtooth": "sawtooth", "toothed": "sawtooth", "spikes": "spike", "artifact": "spike",
    "artefact": "spike", "stimulus": "spike", "pacemaker": "pac", "pacing": "pac", "paced": "pac",
    "dissociation": "dissociat", "dissociated": "dissociat", "progressive": "progress",
    "progressively": "progress", "progression": "progress", "lengthened": "lengthen",
    "concavity": "concave", "convexity": "convex", "coved": "convex", "deep": "deep",
    "depth": "deep", "premature": "premature", "early": "early", "biphasic": "biphasic",
    "diphasic": "biphasic", "downslope": "downsloping", "descending": "downsloping",
    "scooping": "scooped", "sagging": "scooped", "pathological": "pathological",
    "abnormal": "abnormal", "abnormality": "abnormal", "changes": "change", "altered": "change",
    "alteration": "change", "absent": "absent", "notch": "notch",
}  # fmt: skip
_IGNORED: Final = frozenset(
    {"the", "a", "an", "of", "in", "on", "with", "and", "or", "complex", "segment", "wave", "is"}
    | {"interval", "lead", "are", "to", "from", "morphology", "pattern", "sign"}
)
_NEGATIONS: Final = frozenset({"absent", "not", "never", "non", "nonvisible"})
_DENIED_AFTER: Final = frozenset({"absent", "missing", "invisible", "lacking", "lost"})
_JOINTS: Final = frozenset({"and", "or", "with", "but", "then", "also"})
_DIRECTIONS: Final = {
    "prolong": "up", "long": "up", "wide": "up", "tall": "up", "fast": "up", "rapid": "up",
    "increased": "up", "short": "down", "shortened": "down", "narrow": "down", "low": "down",
    "above": "up", "below": "down", "over": "up", "under": "down",
    "slow": "down", "reduced": "down", "decreased": "down", "small": "down", "normal": "normal",
}  # fmt: skip


@lru_cache(maxsize=65536)
def stems(text: str) -> frozenset[str]:
    """Return the content words of a text, in one form for each family of words."""
    words = expand_acronyms(normalize_name(text)).replace("r'", "r2").split()
    return frozenset(_STEMS.get(w, w) for w in words if w not in _IGNORED)


_VENTRICULAR: Final = frozenset({"sinus", "qrs", "normal", "ventricular"})
"""Words beside which a rate is that of the ventricles, though P waves are named."""
_BARE_WAVES: Final = {
    ("p", "mV"): "p_amplitude", ("q", "mV"): "q_amplitude", ("r", "mV"): "r_amplitude",
    ("s", "mV"): "s_amplitude", ("t", "mV"): "t_amplitude", ("u", "mV"): "u_amplitude",
    ("q", "ms"): "q_duration", ("p", "ms"): "p_duration", ("qrs", "mV"): "qrs_amplitude",
}  # fmt: skip
"""What a wave with a quantity means: `R in aVL over 1.1 mV` is an amplitude."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A feature that a phrase names."""

    feature: str
    is_negated: bool
    direction: str | None
    """`up`, `down` or `normal`: a long PR interval, a narrow QRS, a normal axis."""
    n_words: int
    """How many content words of the phrase it accounts for."""


@cache
def _feature_stems() -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple(
        (key, stems(name)) for key, feature in features().items() for name in feature.names
    )


@cache
def features() -> Mapping[str, Feature]:
    """Return the closed list of features."""
    return load_features()


def find_features(text: str) -> tuple[Mention, ...]:
    """Return the features that a text names, the most specific first.

    A feature counts when every content word of one of its names is in the text, near each other;
    one whose words are a part of another found feature's words is dropped (`QRS` within `QRS
    axis`).
    """
    units = {span.unit for span in find_quantities(text)}
    text = without_quantities(text)
    words, all_words = stems(without_leads(text)), stems(text)
    order = _ordered_stems(text)
    content = [w for w in order if w not in _IGNORED]
    found: dict[str, frozenset[str]] = {}
    for key, name in _feature_stems():
        said = words if name <= words else all_words
        if (
            name
            and name <= said
            and len(name) > len(found.get(key, ()))
            and _is_near(content, name)
        ):
            found[key] = name
    for unit in units:
        for wave in words & {"p", "q", "r", "s", "t", "u", "qrs"}:
            if (wave, unit) in _BARE_WAVES:
                found.setdefault(_BARE_WAVES[wave, unit], frozenset({wave}))
        if unit == "ratio" and words & {"av", "conduction", "block"}:
            found.setdefault("av_ratio", frozenset())
        if unit == "bpm" and not {"heart_rate", "atrial_rate"} & set(found):
            is_atrial = bool(words & {"atrial", "flutter", "p"}) and not words & _VENTRICULAR
            is_atrial |= "fibrillatory_waves" in found
            is_atrial &= "p_morphology_varying" not in found
            found["atrial_rate" if is_atrial else "heart_rate"] = frozenset()
    kept = {
        key: name
        for key, name in found.items()
        if not name or not any(name < other for o, other in found.items() if o != key)
    }
    kept = _tell_apart(kept, order, units)
    denied = _denied_after(text)
    mentions = [
        Mention(key, _is_negated(order, denied, name), _direction(order, name), len(name))
        for key, name in kept.items()
    ]
    return tuple(sorted(mentions, key=lambda m: -m.n_words))


_WAVES: Final = frozenset({"p", "q", "r", "s", "st", "t", "u"})


def _tell_apart(
    found: Mapping[str, frozenset[str]], order: list[str], units: Iterable[str]
) -> dict[str, frozenset[str]]:
    """Return the features without those that other words of the text speak of.

    Of two with the same words and unit (`S in V1 plus R in V5`, `R in V1 plus S in V5`) the one
    whose words come in the text's order is meant, and of a sign and its measurement the
    measurement where a value is given; a width said of another wave (`narrow peaked T wave`) is
    none of the QRS complex.
    """
    kept: dict[tuple[frozenset[str], str | None], str] = {}
    for key, name in found.items():
        rival = kept.get((name, features()[key].unit)) if name else None
        if rival is None or _in_order(key, order) > _in_order(rival, order):
            kept[name or frozenset({key}), features()[key].unit] = key
    given = set(units)
    measured = {name for name, unit in kept if unit in given}
    return {
        key: found[key]
        for (name, unit), key in kept.items()
        if not (unit is None and name in measured)
        and not (name in _WIDTHS and _is_said_of_wave(order, name))
    }


_WIDTHS: Final = (frozenset({"wide"}), frozenset({"narrow"}))


def _is_said_of_wave(order: list[str], width: frozenset[str]) -> bool:
    """Whether every place of a width stands shortly before a wave other than the QRS complex."""
    return all(
        any(w in _WAVES for w in order[i + 1 : i + 4])
        and not {"complex", "qrs", "beat", "tachycardia"} & set(order[i + 1 : i + 4])
        for i in _places(order, width)
    )


def _in_order(key: str, order: list[str]) -> int:
    """How many words of one of the feature's names come in the text in the name's order."""
    return max(
        int(LCSseq.similarity(_ordered_stems(name), order)) for name in features()[key].names
    )


def _ordered_stems(text: str) -> list[str]:
    words = expand_acronyms(normalize_name(text)).replace("r'", "r2").split()
    return [_STEMS.get(w, w) for w in words]


_NEAR: Final = 2


def _is_near(content: list[str], name: frozenset[str]) -> bool:
    """Whether the words of a name stand together somewhere, at most two others among them."""
    width = len(name) + _NEAR
    return len(name) == 1 or any(
        name <= set(content[start : start + width]) for start in range(len(content))
    )


def _places(order: list[str], name: frozenset[str]) -> list[int]:
    return [i for i, word in enumerate(order) if word in name]


def _denied_after(text: str) -> frozenset[int]:
    """Places of words that deny what stands before them: `absent`, but not `and absent`."""
    words = expand_acronyms(normalize_name(text)).replace("r'", "r2").split()
    return frozenset(
        i
        for i, (word, before) in enumerate(zip(words, ["", *words], strict=False))
        if word in _DENIED_AFTER and before not in _JOINTS
    )


def _is_negated(order: list[str], denied: frozenset[int], name: frozenset[str]) -> bool:
    """Whether a word shortly before the feature denies it, or one right after it does.

    A denial ends at `with`; within a feature's words only what stands right before one counts
    (`late beat without P wave after a pause` is a late beat), and no alternative to them (`flat or
    absent P waves` may be flat).
    """
    places = _places(order, name)
    if not places:
        return False
    first = order[max(0, places[0] - 4) : places[0]]
    if "with" in first:
        first = first[len(first) - first[::-1].index("with") :]
    within = [order[i] for p in places[1:] for i in range(max(1, p - 2), p) if order[i - 1] != "or"]
    before = {w for w in (*first, *within) if w not in name}
    after = set(range(places[-1] + 1, places[-1] + 4)) & denied
    return bool(before & _NEGATIONS) or bool(after)


def _direction(order: list[str], name: frozenset[str]) -> str | None:
    """`up`, `down` or `normal` where a word beside the feature says so; else None."""
    places = _places(order, name)
    if not places:
        return None
    near = order[max(0, places[0] - 2) : places[-1] + 3]
    for word in near:
        if word not in name and word in _DIRECTIONS:
            return _DIRECTIONS[word]
    return None


def without_quantities(text: str) -> str:
    """Return the text with its numbers and their units left out."""
    return " ".join(_COMPARED.sub(" ", _BETWEEN.sub(" ", text.replace("−", "-"))).split())


def without_leads(text: str) -> str:
    """Return the text with its lists of leads left out."""

    def drop(match: re.Match[str]) -> str:
        return " " if _LEAD.search(match[0]) else match[0]

    kept = _CHEST_RANGE.sub(" V1 ", text)
    if any(_NUMERAL_BEFORE.search(kept[: m.start()]) for m in _LEAD.finditer(kept)):
        return kept
    return " ".join(_LEADS_SPAN.sub(drop, kept).split())


_SUBJECT: Final = re.compile(
    r"\b(?P<subject>(?:QRS|P|Q|R|S|T|U|ST)(?:[- ](?:complex(?:es)?|waves?|segments?))?)(?![\w'])"
)
_SAID_OF_IT: Final = re.compile(
    r"^(?:is |are )?(?:positive|negative|upright|inverted|isoelectric|biphasic|flat|tall|deep|small"
    r"|elevated|depressed|absent|wide|narrow|broad|notched|peaked)\b",
    re.IGNORECASE,
)


def share_subject(parts: Sequence[str]) -> list[str]:
    """Return the parts with the first one's wave put before those that only say how it looks.

    `QRS negative in I` and `positive in aVF` become two sentences about the QRS; a part that
    only names a lead belongs to the one before.
    """
    kept: list[str] = []
    for part in parts:
        if kept and find_leads(part) and not without_leads(part):
            kept[-1] = f"{kept[-1]} and {part}"
        else:
            kept.append(part)
    subject = _SUBJECT.search(kept[0]) if kept else None
    if subject is None:
        return kept
    return [kept[0]] + [
        f"{subject['subject']} {part}"
        if _SAID_OF_IT.match(part) and not _SUBJECT.search(part)
        else part
        for part in kept[1:]
    ]


_SEPARATORS: Final = re.compile(r"\s*;\s*|\s+(?:as well as|plus|together with)\s+")


def split_phrase(text: str) -> tuple[str, ...]:
    """Return the parts of a compound phrase; lists of leads stay together."""
    return tuple(p for p in (part.strip(" .,") for part in _SEPARATORS.split(text)) if p)
