"""What every knowledge source returns: concepts with their names, criteria and provenance."""

from dataclasses import dataclass
from enum import StrEnum


class Comparator(StrEnum):
    """How a criterion compares its feature with its value."""

    AT_LEAST = ">="
    MORE_THAN = ">"
    AT_MOST = "<="
    LESS_THAN = "<"
    BETWEEN = "between"
    """`value` to `upper`, both included."""
    PRESENT = "present"
    ABSENT = "absent"


class AliasKind(StrEnum):
    """What sort of name an alias is; retrieval treats acronyms more strictly than words."""

    SYNONYM = "synonym"
    ACRONYM = "acronym"
    LAY = "lay"
    CART = "cart"
    """As ECG machines print it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A terminology: where a concept, and so a piece of evidence, comes from."""

    key: str
    """Short stable name: `merl`, `hpo`, `icd10cm`, `umls`, `scp_ecg`, `cdisc`, `medgen`."""
    name: str
    version: str
    licence: str
    citation: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """One more name of a concept."""

    text: str
    kind: AliasKind = AliasKind.SYNONYM
    lang: str = "en"
    """ISO 639-1 code."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One diagnostic criterion, as data and as a sentence.

    A presence criterion (`PRESENT`, `ABSENT`) has neither value nor unit.
    """

    feature: str
    """The measured quantity or sign, from the closed list in `data/features.yaml`."""
    comparator: Comparator
    text: str
    """The criterion in our own words, as a cardiologist would write it."""
    value: float | None = None
    upper: float | None = None
    unit: str | None = None
    """`ms`, `mV`, `mm`, `deg`, `bpm`, `ratio` or `count`."""
    leads: tuple[str, ...] = ()
    territory: str | None = None
    """`anterior`, `septal`, `lateral`, `inferior`, `posterior`, `right` or a compound of them."""
    condition: str | None = None
    """Whom it holds for: `men`, `women`, `age < 16`."""
    is_required: bool = False
    """Whether the diagnosis cannot be made without it."""
    reference: str | None = None
    """Key into the reference list, `data/references.yaml`."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One finding, diagnosis or rhythm, as one source describes it."""

    concept_id: str
    """`PREFIX:local`; ours are `ECG:left-bundle-branch-block`."""
    canonical_name: str
    source: str
    """Key of the `Source`."""
    kind: str = "finding"
    """`rhythm`, `conduction`, `ectopy`, `pacing`, `infarction`, `ischemia`, `repolarization`,
    `hypertrophy`, `voltage`, `axis`, `interval`, `form`, `normal`, `quality`, `group` or `finding`.
    """
    definition: str | None = None
    aliases: tuple[Alias, ...] = ()
    parents: tuple[str, ...] = ()
    """Concept ids, the is-a relation."""
    contradicts: tuple[str, ...] = ()
    """Concept ids that cannot hold at the same time, or that are the opposite."""
    criteria: tuple[Criterion, ...] = ()
    xrefs: tuple[str, ...] = ()
    """`PREFIX:ID` with PREFIX one of SCP, SNOMED, UMLS, HP, NCIT, ICD10CM, AHA, DOID, MDC."""
    references: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What a user must know, such as an ambiguity."""

    @property
    def names(self) -> tuple[str, ...]:
        """The canonical name and every alias, without repetition."""
        return tuple(dict.fromkeys((self.canonical_name, *(a.text for a in self.aliases))))


@dataclass(frozen=True, slots=True)
class Terminology:
    """One source with all concepts that were taken from it: what every loader returns."""

    source: Source
    concepts: tuple[Concept, ...]
