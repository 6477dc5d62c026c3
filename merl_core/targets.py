"""Which concepts an ECG is known to show, known not to show, or not known about."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from knowledge_sources.concept import Concept
from knowledge_sources.ecg_statements import PREFIX, load_ecg_statements
from knowledge_sources.label_sets import label_set
from merl_core.datasets.ptbxl import PtbXl

Targets = NDArray[np.float32]
"""Shape (N, C): 1 shown, 0 not shown, NaN not known."""

_SUBCLASS_STAND_INS: Final = {
    "LAFB/LPFB": "fascicular-block",
    "ISCA": "anterior-ischemia",
    "ISCI": "inferior-ischemia-group",
    "ISC": "nonspecific-ischemic-change",
    "NST": "nonspecific-st-change",
    "STTC": "st-t-change",
    "AVB": "av-block",
    "_AVB": "av-block",
    "STD": "st-depression",
    "STE": "st-elevation",
    "NT": "nonspecific-t-wave-change",
    "TAB": "t-wave-abnormality",
}
"""Subclass and form names that stand in for SCP codes where a source kept only those."""
_AXES: Final = {
    "LAD": "left-axis-deviation",
    "ALAD": "left-axis-deviation",
    "MID": "normal-axis",
    "RAD": "right-axis-deviation",
    "ARAD": "right-axis-deviation",
}
"""Values of `heart_axis`. Source: PTB-XL 1.0.3, `ptbxl_database.csv`; AXL and AXR left out."""
_VOLTAGE: Final = (
    "high-qrs-voltage",
    "low-qrs-voltage",
    "voltage-criteria-left-ventricular-hypertrophy",
)
_SAY_ALL: Final = frozenset({"normal-ecg", "abnormal-ecg", "borderline-ecg"})
"""Concepts that speak of an ECG as a whole."""
_UNSTATED: Final = frozenset({"rhythm", "abnormal-ecg", "borderline-ecg"})
"""Concepts whose absence no annotator states."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The concepts that training speaks of, with their ancestors."""

    concepts: tuple[Concept, ...]
    index: Mapping[str, int]
    """Column by local id."""
    ancestors: Mapping[str, frozenset[str]]
    """Local ids above each local id."""
    by_scp_code: Mapping[str, str]
    """Local id by SCP code."""

    def __len__(self) -> int:
        return len(self.concepts)

    @property
    def ids(self) -> tuple[str, ...]:
        """Local ids in the order of columns."""
        return tuple(self.index)

    def with_ancestors(self, ids: Iterable[str]) -> set[str]:
        """Return the ids and everything above them."""
        found = set(ids)
        for one in tuple(found):
            found |= self.ancestors[one]
        return found


def load_vocabulary(concepts: Sequence[Concept] | None = None) -> Vocabulary:
    """Return the vocabulary of our ECG statement table."""
    concepts = load_ecg_statements().concepts if concepts is None else concepts
    parents = {_local(c.concept_id): tuple(map(_local, c.parents)) for c in concepts}
    codes = dict(_SUBCLASS_STAND_INS)
    for concept in concepts:
        for xref in concept.xrefs:
            prefix, _, code = xref.partition(":")
            if prefix == "SCP":
                codes[code] = _local(concept.concept_id)
    return Vocabulary(
        concepts=tuple(concepts),
        index={local: i for i, local in enumerate(parents)},
        ancestors={local: frozenset(_above(local, parents)) for local in parents},
        by_scp_code={code: local for code, local in codes.items() if local in parents},
    )


def targets_from_ptbxl(data: PtbXl, vocabulary: Vocabulary) -> Targets:
    """Return what PTB-XL's annotators stated.

    A statement holds with all its ancestors. A statement that PTB-XL knows and that is not made
    counts as absent; concepts outside its vocabulary are unknown. The published super- and
    subclasses decide about the group concepts they name; where they and the ancestors disagree
    the group is unknown. Voltages are unknown where the source has lost them, and all rhythms where
    no rhythm at all is stated.
    """
    known = vocabulary.with_ancestors(set(vocabulary.by_scp_code.values())) - _UNSTATED
    targets = np.full((len(data), len(vocabulary)), np.nan, dtype=np.float32)
    targets[:, [vocabulary.index[k] for k in known]] = 0
    groups, rhythms = (_label_columns(n, vocabulary) for n in ("ptbxl_super", "ptbxl_rhythm"))
    above = vocabulary.with_ancestors(vocabulary.ids[c] for c in rhythms.values()) - _UNSTATED
    rhythm_columns = [vocabulary.index[local] for local in sorted(above)]
    for i, row in enumerate(targets):
        codes = data.scp_codes[i] | data.forms[i] | data.rhythms[i] | data.subclasses[i]
        stated = {vocabulary.by_scp_code[c] for c in codes if c in vocabulary.by_scp_code}
        positive = vocabulary.with_ancestors(stated)
        row[[vocabulary.index[p] for p in positive]] = 1
        _apply_groups(row, groups, data.superclasses[i])
        _apply_axis(row, vocabulary, data.axes[i])
        if codes.isdisjoint(rhythms):
            row[rhythm_columns] = np.where(row[rhythm_columns] == 0, np.nan, row[rhythm_columns])
        if not data.has_voltage[i]:
            for local in _VOLTAGE:
                if local in vocabulary.index:
                    row[vocabulary.index[local]] = np.nan
    return targets


def targets_from_findings(
    findings: Sequence[Collection[str]], simulated: Collection[str], vocabulary: Vocabulary
) -> Targets:
    """Return what simulated recordings show.

    Args:
        findings: Local concept ids of each recording, ancestors not listed.
        simulated: All local ids that the simulator can state; what is above them is known too.
        vocabulary: The concepts.
    """
    ids = {f for f in simulated if f in vocabulary.index}
    known = [vocabulary.index[k] for k in vocabulary.with_ancestors(ids) - _UNSTATED]
    targets = np.full((len(findings), len(vocabulary)), np.nan, dtype=np.float32)
    targets[:, known] = 0
    for row, one in zip(targets, findings, strict=True):
        positive = vocabulary.with_ancestors(f for f in one if f in vocabulary.index)
        row[[vocabulary.index[p] for p in positive]] = 1
    return targets


def rarity_weights(targets: NDArray[np.float32], power: float) -> NDArray[np.float64]:
    """Return how often each record should be drawn: by its rarest finding, tempered."""
    is_positive = targets == 1
    share = is_positive.sum(axis=0).clip(1) / len(targets)
    rarest = np.where(is_positive, share, 1.0).min(axis=1)
    weights = rarest.clip(0.005) ** -power
    out: NDArray[np.float64] = weights / weights.sum()
    return out


def draw_weights(
    targets: NDArray[np.float32], rarity_power: float, normal: int, normal_share: float | None
) -> NDArray[np.float64]:
    """Return how often each record should be drawn: by its rarest finding, and by being normal.

    Args:
        targets: Shape (N, C).
        rarity_power: Of `rarity_weights`.
        normal: Column of the normal ECG.
        normal_share: Sum of the weights of normal records, if there are any and others; None
            leaves it.
    """
    weights = rarity_weights(targets, rarity_power)
    is_normal = targets[:, normal] == 1
    if normal_share is not None and is_normal.any() and not is_normal.all():
        weights[is_normal] *= normal_share / weights[is_normal].sum()
        weights[~is_normal] *= (1 - normal_share) / weights[~is_normal].sum()
    return weights


def confusable_pairs(vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Return which two concepts contradict each other or have a parent in common, shape (C, C).

    What says only whether an ECG is normal is left out: it contradicts almost everything, and is a
    parent of almost everything.
    """
    pairs: list[tuple[str, str]] = []
    children: dict[str, list[str]] = {}
    for concept in vocabulary.concepts:
        local = _local(concept.concept_id)
        pairs += [(local, _local(other)) for other in concept.contradicts]
        for parent in set(map(_local, concept.parents)) - _SAY_ALL:
            children.setdefault(parent, []).append(local)
    for group in children.values():
        pairs += combinations(group, 2)
    out = np.zeros((len(vocabulary), len(vocabulary)), dtype=bool)
    for one, other in pairs:
        if _SAY_ALL.isdisjoint((one, other)):
            row, column = vocabulary.index[one], vocabulary.index[other]
            out[row, column] = out[column, row] = True
    return out


def _label_columns(name: str, vocabulary: Vocabulary) -> dict[str, int]:
    """Return the column of each label of a set, by its code, where the vocabulary has it."""
    local_ids = {label.code: _local(label.concept_ids[0]) for label in label_set(name).labels}
    index = vocabulary.index
    return {code: index[local] for code, local in local_ids.items() if local in index}


def _apply_groups(row: Targets, columns: Mapping[str, int], stated: Collection[str]) -> None:
    for code, column in columns.items():
        if code in stated:
            row[column] = 1
        elif row[column] == 1:
            row[column] = np.nan


def _apply_axis(row: Targets, vocabulary: Vocabulary, axis: str) -> None:
    if axis not in _AXES:
        return
    for local in set(_AXES.values()):
        if local in vocabulary.index:
            row[vocabulary.index[local]] = float(local == _AXES[axis])


def _above(local: str, parents: Mapping[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    queue = [p for p in parents[local] if p in parents]
    while queue:
        one = queue.pop()
        if one not in found:
            found.add(one)
            queue += [p for p in parents[one] if p in parents]
    return found


def _local(concept_id: str) -> str:
    return concept_id.removeprefix(PREFIX)
