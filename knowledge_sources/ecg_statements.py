"""Our own ECG statement table: `data/ecg_statements/*.yaml`, checked by schema."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowledge_sources.concept import (
    Alias,
    AliasKind,
    Comparator,
    Concept,
    Criterion,
    Source,
    Terminology,
)
from knowledge_sources.errors import SourceFormatError

PREFIX: Final = "ECG:"
_DATA: Final = Path(__file__).parent / "data"

Kind = Literal[
    "rhythm", "conduction", "ectopy", "pacing", "infarction", "ischemia", "repolarization",
    "hypertrophy", "voltage", "axis", "interval", "form", "normal", "quality", "group", "finding",
]  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _CriterionItem(_Strict):
    feature: str
    comparator: Comparator
    text: str
    value: float | None = None
    upper: float | None = None
    unit: str | None = None
    leads: tuple[str, ...] = ()
    territory: str | None = None
    condition: str | None = None
    required: bool = False
    ref: str | None = None


class _Aliases(_Strict):
    synonym: tuple[str, ...] = ()
    acronym: tuple[str, ...] = ()
    lay: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    de: tuple[str, ...] = ()
    es: tuple[str, ...] = ()


class _Item(_Strict):
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    name: str
    kind: Kind
    definition: str
    parents: tuple[str, ...] = ()
    aliases: _Aliases = _Aliases()
    criteria: tuple[_CriterionItem, ...] = ()
    contradicts: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Feature(_Strict):
    """A quantity or sign that criteria may name."""

    unit: str | None
    names: tuple[str, ...]


def load_ecg_statements(folder: Path | None = None) -> Terminology:
    """Return the concepts of our table.

    Args:
        folder: Another folder of YAML files in the same schema; by default the packaged table.

    Raises:
        SourceFormatError: A file breaks the schema, or an id is given twice; nothing is loaded.
    """
    concepts: dict[str, Concept] = {}
    for path in sorted((folder or _DATA / "ecg_statements").glob("*.yaml")):
        for number, raw in enumerate(_read_yaml(path), start=1):
            concept = _to_concept(_check(path, number, raw))
            if concept.concept_id in concepts:
                message = f"id {concept.concept_id!r} is given twice"
                raise SourceFormatError(path, message, column=f"item {number}")
            concepts[concept.concept_id] = concept
    return Terminology(_source(), tuple(concepts.values()))


def load_features() -> dict[str, Feature]:
    """Return the closed list of features that criteria may name, by key."""
    raw = yaml.safe_load((_DATA / "features.yaml").read_text(encoding="utf-8"))
    return {key: Feature.model_validate(item) for key, item in raw.items()}


def load_references() -> dict[str, str]:
    """Return the works that concepts and criteria cite, by key."""
    raw: dict[str, str] = yaml.safe_load((_DATA / "references.yaml").read_text(encoding="utf-8"))
    return raw


def _read_yaml(path: Path) -> list[Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_SafeLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SourceFormatError(path, f"not valid YAML: {error.problem}", line=line) from error
    if not isinstance(content, list):
        raise SourceFormatError(path, f"expected a list of statements, found {type(content)}")
    return content


def _check(path: Path, number: int, raw: object) -> _Item:
    try:
        return _Item.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        name = raw.get("id", f"item {number}") if isinstance(raw, dict) else f"item {number}"
        raise SourceFormatError(path, f"{name}: {first['msg']}", column=field) from error


def _to_concept(item: _Item) -> Concept:
    return Concept(
        concept_id=PREFIX + item.id,
        canonical_name=item.name,
        source="merl",
        kind=item.kind,
        definition=" ".join(item.definition.split()),
        aliases=_to_aliases(item.aliases),
        parents=tuple(PREFIX + p for p in item.parents),
        contradicts=tuple(PREFIX + c for c in item.contradicts),
        criteria=tuple(_to_criterion(c) for c in item.criteria),
        xrefs=item.xrefs,
        references=item.references,
        notes=item.notes,
    )


def _to_aliases(aliases: _Aliases) -> tuple[Alias, ...]:
    english = {
        AliasKind.SYNONYM: aliases.synonym,
        AliasKind.ACRONYM: aliases.acronym,
        AliasKind.LAY: aliases.lay,
        AliasKind.CART: aliases.cart,
    }
    found = [Alias(text, kind) for kind, texts in english.items() for text in texts]
    for lang, texts in (("de", aliases.de), ("es", aliases.es)):
        found += [Alias(t, _foreign_kind(t), lang) for t in texts]
    return tuple(found)


def _foreign_kind(text: str) -> AliasKind:
    is_acronym = len(text) <= 6 and " " not in text and sum(c.isupper() for c in text) >= 2
    return AliasKind.ACRONYM if is_acronym else AliasKind.SYNONYM


def _to_criterion(item: _CriterionItem) -> Criterion:
    return Criterion(
        feature=item.feature,
        comparator=item.comparator,
        text=item.text,
        value=item.value,
        upper=item.upper,
        unit=item.unit,
        leads=item.leads,
        territory=item.territory,
        condition=item.condition,
        is_required=item.required,
        reference=item.ref,
    )


def _source() -> Source:
    try:
        release = version("merl-ckepe")
    except PackageNotFoundError:
        release = "source tree"
    return Source(
        key="merl",
        name="MERL ECG statement table",
        version=release,
        licence="Apache-2.0",
    )


_FastSafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _SafeLoader(_FastSafeLoader):  # type: ignore[misc, valid-type]
    """YAML in which `no` and `on` are words: `NO` may be an acronym, `y` a name."""


_SafeLoader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SafeLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf")
)
