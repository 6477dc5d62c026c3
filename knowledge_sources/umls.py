"""UMLS and MedGen: the ECG-relevant part of the user's own release.

A full release has some 15 million names and 45 million relations. It is streamed: what is kept
are the concepts that our table names (by CUI, or by a code of a source inside UMLS) and what is
below them, of the semantic types that an ECG can speak to.
"""

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from knowledge_sources.concept import (
    Alias,
    AliasKind,
    Comparator,
    Concept,
    Criterion,
    Source,
    Terminology,
)
from knowledge_sources.errors import KnowledgeError
from knowledge_sources.rrf import Progress, RrfFolder, Where

SEMANTIC_TYPES: Final = frozenset(
    {"T033", "T034", "T046", "T047", "T184", "T201", "T042", "T190", "T020", "T019"}
)
"""Finding, laboratory or test result, pathologic function, disease or syndrome, sign or symptom,
clinical attribute, organ function, anatomical, acquired and congenital abnormality."""
_SOURCE_OF_PREFIX: Final = {
    "SNOMED": ("SNOMEDCT_US", "SNOMEDCT"),
    "HP": ("HPO",),
    "NCIT": ("NCI",),
    "ICD10CM": ("ICD10CM",),
}
_PREFIX_OF_SOURCE: Final = {s: p for p, sources in _SOURCE_OF_PREFIX.items() for s in sources}
_LANGUAGES: Final = {"ENG": "en", "GER": "de", "SPA": "es"}
_MAX_DEPTH: Final = 3


def load_umls(
    folder: Path,
    table: Iterable[Concept],
    *,
    on_progress: Progress | None = None,
    cache: Path | None = None,
) -> Terminology:
    """Return the ECG-relevant concepts of a UMLS release.

    Args:
        folder: The user's release, or its `META`.
        table: Our own concepts: their identifiers are the seeds.
        on_progress: Told how far each file is.
        cache: A folder for the result; a later call with the same files and seeds reads it.

    Raises:
        KnowledgeError: The folder holds no release.
        SourceFormatError: A row is broken; nothing is loaded.
    """
    source = Source(
        key="umls",
        name="UMLS Metathesaurus",
        version=_release(folder),
        licence="UMLS licence of the user; never redistributed",
        citation="US National Library of Medicine",
    )
    return _load(RrfFolder(folder, "MR", on_progress), source, table, cache)


def load_medgen(
    folder: Path,
    table: Iterable[Concept],
    *,
    on_progress: Progress | None = None,
    cache: Path | None = None,
) -> Terminology:
    """Return the ECG-relevant concepts of NCBI MedGen, which has nearly the layout of UMLS.

    Raises:
        KnowledgeError: The folder holds no release.
        SourceFormatError: A row is broken; nothing is loaded.
    """
    source = Source(
        key="medgen",
        name="NCBI MedGen",
        version=_release(folder),
        licence="NCBI: public domain, parts under their sources' terms",
        citation="US National Center for Biotechnology Information",
    )
    return _load(RrfFolder(folder, "MG", on_progress), source, table, cache)


def _load(
    files: RrfFolder, source: Source, table: Iterable[Concept], cache: Path | None
) -> Terminology:
    seeds = {x for concept in table for x in concept.xrefs}
    kept = _cache_path(files, source, seeds, cache)
    if kept is not None and kept.is_file():
        return _read_cache(kept, source)
    seed_cuis = _find_seeds(files, seeds)
    cuis, parents = _add_descendants(files, seed_cuis)
    cuis = _of_wanted_types(files, cuis, seed_cuis)
    concepts = _read_concepts(files, source.key, cuis, parents)
    loaded = Terminology(source, concepts)
    if kept is not None:
        _write_cache(kept, loaded)
    return loaded


def _find_seeds(files: RrfFolder, seeds: set[str]) -> set[str]:
    found = set()
    for cui, sab, code in files.rows("CONSO", ("CUI", "SAB", "CODE")):
        prefix = _PREFIX_OF_SOURCE.get(sab)
        if f"UMLS:{cui}" in seeds or (prefix and _identifier(prefix, code) in seeds):
            found.add(cui)
    return found


def _identifier(prefix: str, code: str) -> str:
    return f"{prefix}:{code.removeprefix('HP:')}"


def _add_descendants(files: RrfFolder, seeds: set[str]) -> tuple[set[str], dict[str, set[str]]]:
    """The seeds with all that is at most three steps below them; one pass a step."""
    found, parents = set(seeds), defaultdict(set)
    for _ in range(_MAX_DEPTH):
        below = set()
        for parent, rel, child, rela in files.rows(
            "REL", ("CUI1", "REL", "CUI2", "RELA"), _is_hierarchical
        ):
            if rel == "PAR":
                parent, child = child, parent
            elif rel != "CHD":
                continue
            if parent in found and rela in ("isa", "inverse_isa", "") and child != parent:
                parents[child].add(parent)
                below.add(child)
        if below <= found:
            break
        found |= below
    return found, parents


def _is_hierarchical(line: str) -> bool:
    return "|CHD|" in line or "|PAR|" in line


def _is_of(cuis: set[str]) -> Where:
    """Whether a line, which begins with its concept, is of one of these."""
    return lambda line: line[: line.find("|")] in cuis


def _of_wanted_types(files: RrfFolder, cuis: set[str], seeds: set[str]) -> set[str]:
    if files.find("STY") is None:
        return cuis
    wanted = {
        cui for cui, tui in files.rows("STY", ("CUI", "TUI"), _is_of(cuis))
        if tui in SEMANTIC_TYPES
    }  # fmt: skip
    return wanted | seeds


def _read_concepts(
    files: RrfFolder, source: str, cuis: set[str], parents: dict[str, set[str]]
) -> tuple[Concept, ...]:
    names: dict[str, dict[str, Alias]] = defaultdict(dict)
    preferred: dict[str, str] = {}
    xrefs: dict[str, dict[str, None]] = defaultdict(dict)
    for cui, alias, is_preferred, xref in _read_names(files, cuis):
        names[cui].setdefault(alias.text.casefold(), alias)
        if is_preferred:
            preferred.setdefault(cui, alias.text)
        if xref:
            xrefs[cui][xref] = None
    definitions: dict[str, str] = {}
    for cui, text, suppress in files.rows("DEF", ("CUI", "DEF", "SUPPRESS"), _is_of(cuis)):
        if suppress == "N":
            definitions.setdefault(cui, text)
    return tuple(
        Concept(
            concept_id=f"UMLS:{cui}",
            canonical_name=preferred.get(cui) or next(iter(names[cui].values())).text,
            source=source,
            definition=definitions.get(cui),
            aliases=tuple(names[cui].values()),
            parents=tuple(f"UMLS:{p}" for p in sorted(parents.get(cui, ())) if p in names),
            xrefs=tuple(xrefs[cui]),
        )
        for cui in sorted(names)
    )


def _read_names(files: RrfFolder, cuis: set[str]) -> Iterable[tuple[str, Alias, bool, str | None]]:
    wanted = ("CUI", "TS", "STT", "ISPREF", "SAB", "TTY", "CODE", "STR", "SUPPRESS")
    has_language = files.find("CONSO") is not None and _has_language(files)
    columns = (*wanted, "LAT") if has_language else wanted
    for row in files.rows("CONSO", columns, _is_of(cuis)):
        cui, ts, stt, ispref, sab, tty, code, text, suppress = row[:9]
        lang = _LANGUAGES.get(row[9]) if has_language else "en"
        if suppress != "N" or lang is None:
            continue
        prefix = _PREFIX_OF_SOURCE.get(sab)
        xref = _identifier(prefix, code) if prefix else None
        is_acronym = tty in ("AB", "ACR") or (len(text) <= 6 and text.isupper())
        kind = AliasKind.ACRONYM if is_acronym else AliasKind.SYNONYM
        is_preferred = lang == "en" and (ts, stt, ispref) == ("P", "PF", "Y")
        yield cui, Alias(text, kind, lang), is_preferred, xref


def _has_language(files: RrfFolder) -> bool:
    try:
        next(iter(files.rows("CONSO", ("LAT",))), None)
    except KnowledgeError:
        return False
    return True


def _release(folder: Path) -> str:
    for name in ("release.dat", "META/release.dat"):
        path = folder / name
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                if "=" in line and "version" in line:
                    return line.partition("=")[2].strip()
    inner = folder.name if folder.name != "META" else folder.parent.name
    return inner or "unknown"


def _cache_path(
    files: RrfFolder, source: Source, seeds: set[str], cache: Path | None
) -> Path | None:
    if cache is None:
        return None
    stats = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files.files()]
    content = json.dumps([source.version, sorted(seeds), stats])
    return cache / f"{source.key}-{hashlib.sha256(content.encode()).hexdigest()[:24]}.json"


def _write_cache(path: Path, loaded: Terminology) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(
        json.dumps([dataclasses.asdict(c) for c in loaded.concepts], ensure_ascii=False),
        encoding="utf-8",
    )
    partial.replace(path)


def _read_cache(path: Path, source: Source) -> Terminology:
    raw: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return Terminology(source, tuple(_to_concept(item) for item in raw))


def _to_concept(item: dict[str, Any]) -> Concept:
    aliases = tuple(Alias(a["text"], AliasKind(a["kind"]), a["lang"]) for a in item["aliases"])
    criteria = tuple(
        Criterion(**{**c, "comparator": Comparator(c["comparator"]), "leads": tuple(c["leads"])})
        for c in item["criteria"]
    )
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in item.items()}
    plain.update(aliases=aliases, criteria=criteria)
    return Concept(**plain)
