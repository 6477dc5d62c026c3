"""ICD-10-CM: the cardiac categories that an ECG can speak to, from `simple-icd-10-cm`."""

import warnings
from importlib.metadata import version
from typing import Final

from knowledge_sources.concept import Alias, Concept, Source, Terminology
from knowledge_sources.errors import KnowledgeError

CATEGORIES: Final = (
    "I20", "I21", "I22", "I23", "I24", "I25", "I30", "I31", "I40", "I42", "I44", "I45", "I46",
    "I47", "I48", "I49", "I51", "I26", "R00", "Q24", "E83", "E87", "T46", "Z95",
)  # fmt: skip
_ONLY: Final = {
    "I51": ("I51.4", "I51.7", "I51.8", "I51.81"),
    "Q24": ("Q24.0", "Q24.6"),
    "E83": ("E83.5", "E83.51", "E83.52"),
    "E87": ("E87.5", "E87.6"),
    "T46": ("T46.0",),
    "Z95": ("Z95.0", "Z95.810"),
    "I25": ("I25.2", "I25.3"),
}
"""Categories of which only these codes bear on an ECG."""


def load_icd10cm() -> Terminology:
    """Return the ECG-relevant ICD-10-CM codes with their inclusion terms.

    Raises:
        KnowledgeError: The package is not installed, or lacks an expected category.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package reads its data through pkg_resources
        try:
            import simple_icd_10_cm as icd
        except ImportError as error:
            msg = "ICD-10-CM needs the package 'simple-icd-10-cm', which is not installed"
            raise KnowledgeError(msg) from error
    codes: list[str] = []
    for category in CATEGORIES:
        if not icd.is_valid_item(category):
            msg = f"ICD-10-CM category {category!r} is not in the installed package"
            raise KnowledgeError(msg)
        codes += _ONLY.get(category, (category, *icd.get_descendants(category)))
    wanted = {c for c in codes if icd.is_valid_item(c) and len(c) <= 7}
    concepts = tuple(
        Concept(
            concept_id=f"ICD10CM:{code}",
            canonical_name=_decapitalize(icd.get_description(code)),
            source="icd10cm",
            kind="finding",
            aliases=tuple(Alias(_decapitalize(t)) for t in icd.get_inclusion_term(code)),
            parents=tuple(f"ICD10CM:{p}" for p in (icd.get_parent(code),) if p in wanted),
        )
        for code in sorted(wanted)
    )
    return Terminology(_source(), concepts)


def _decapitalize(text: str) -> str:
    first = text.split(" ", 1)[0]
    return text[0].lower() + text[1:] if first[1:].islower() else text


def _source() -> Source:
    return Source(
        key="icd10cm",
        name="ICD-10-CM",
        version=version("simple-icd-10-cm"),
        licence="public domain (US CDC/NCHS)",
        citation="CDC, National Center for Health Statistics",
    )
