"""One way to compare names: case, hyphens, plurals, spellings, word order and common acronyms."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_DEGREES: Final = {"1": "first ", "3": "third "}
_SPELLINGS: Final = (
    (re.compile(r"aem"), "em"),  # ischaemia, hyperkalaemia
    (re.compile(r"oedem"), "edem"),
    (re.compile(r"isation\b"), "ization"),
    (re.compile(r"ised\b"), "ized"),
    (re.compile(r"\bcentre"), "center"),
    (re.compile(r"\bfibre"), "fiber"),
    (re.compile(r"\bbeat to beat\b"), "beattobeat"),
    (re.compile(r"\bre ?polari[sz]"), "repolariz"),
    (re.compile(r"\bpre ?excit"), "preexcit"),
    (re.compile(r"\bre entr"), "reentr"),
    (re.compile(r"\bhemi block"), "hemiblock"),
    (re.compile(r"\ba v (?=block|conduction|dissociation|nod)"), "av "),
    (re.compile(r"\b[13](?:st|rd)? ?(?=degree|grade)"), lambda m: _DEGREES[m[0][0]]),
    (re.compile(r"\b2(?:nd)? ?(?=degree|grade)"), lambda _: "second "),
)
_WORDS: Final = {
    "1st": "first", "2nd": "second", "3rd": "third", "1°": "first degree", "2°": "second degree",
    "3°": "third degree", "i°": "first degree", "ii°": "second degree", "iii°": "third degree",
    "atrioventricular": "av", "auriculoventricular": "av", "intraatrial": "atrial",
    "ekg": "ecg", "electrocardiogram": "ecg", "electrocardiographic": "ecg",
    "pathologic": "pathological", "infarct": "infarction", "infarcts": "infarction",
    "qrst": "qrs t", "ivcd": "intraventricular conduction delay", "w": "with", "wo": "without",
    "qtc": "qt", "symmetric": "symmetrical", "asymmetric": "asymmetrical",
    "abnormalities": "abnormality", "extrasystoles": "extrasystole", "axes": "axis",
    "arrythmia": "arrhythmia", "criteria": "criterion", "complexes": "complex",
    "unspecific": "nonspecific", "alteration": "change",
}  # fmt: skip
_ACRONYMS: Final = {
    "mi": "myocardial infarction", "avb": "av block", "bbb": "bundle branch block",
    "rbbb": "right bundle branch block", "lbbb": "left bundle branch block",
    "lvh": "left ventricular hypertrophy", "rvh": "right ventricular hypertrophy",
    "lv": "left ventricular", "rv": "right ventricular", "la": "left atrial", "ra": "right atrial",
    "svt": "supraventricular tachycardia", "vt": "ventricular tachycardia",
    "afib": "atrial fibrillation", "aflutter": "atrial flutter", "wpw": "wolff parkinson white",
    "pvc": "ventricular premature complex", "pvcs": "ventricular premature complex",
    "pac": "atrial premature complex", "pacs": "atrial premature complex",
    "lafb": "left anterior fascicular block", "lpfb": "left posterior fascicular block",
    "stemi": "st elevation myocardial infarction", "ste": "st elevation", "std": "st depression",
    "twi": "t wave inversion", "lah": "left anterior hemiblock", "cad": "coronary artery disease",
}  # fmt: skip
_FILLER: Final = frozenset(
    {"the", "a", "an", "of", "in", "on", "at", "with", "and", "or", "to", "by", "for", "is", "are"}
    | {"be", "that", "lead", "wave", "segment"}
)
_PUNCTUATION: Final = re.compile(r"[^\w°+%<>=≥≤.']+")
_LOOSE_DOT: Final = re.compile(r"\.(?!\d)|(?<!\d)\.")


@lru_cache(maxsize=65536)
def normalize_name(text: str) -> str:
    """Return a name in lower case, without accents, hyphens and plural, in American spelling."""
    folded = unicodedata.normalize("NFKD", text.replace("°", " ° ")).casefold()
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    folded = folded.replace("&", " and ").replace("’", "'").replace("'s ", " ")
    folded = re.sub(r"(\d|\bi+) ° ?", r"\1° ", folded)
    folded = _LOOSE_DOT.sub(" ", _PUNCTUATION.sub(" ", folded)).replace("_", " ")
    folded = " ".join(folded.split())
    for pattern, replacement in _SPELLINGS:
        folded = pattern.sub(replacement, folded)
    words = [_WORDS.get(w, _WORDS.get(_singular(w), _singular(w))) for w in folded.split()]
    return " ".join(" ".join(words).split())


def _singular(word: str) -> str:
    if word.endswith(("ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "os")):
        return word[:-1]
    return word


@lru_cache(maxsize=65536)
def expand_acronyms(normalized: str) -> str:
    """Return a normalised name with the unambiguous acronyms within it written out."""
    return " ".join(_ACRONYMS.get(w, w) for w in normalized.split())


@lru_cache(maxsize=65536)
def word_key(text: str) -> str:
    """Return a name's words, acronyms written out, sorted and without filler words.

    Two names with the same key differ in word order and filler only.
    """
    words = expand_acronyms(normalize_name(text)).split()
    return " ".join(sorted(w for w in words if w not in _FILLER) or sorted(words))
