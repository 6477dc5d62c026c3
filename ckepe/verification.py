"""Verification: does the knowledge support a phrase, and in which relation to its label?

A phrase is normalised, resolved to a concept or read as a criterion, and related to the label's
concept through the is-a graph, the contradictions and the structured criteria. No language model
takes part.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from ckepe.axes import numerals, opposing_axis, poles, same_poles
from ckepe.criteria import (
    Claim,
    Fit,
    as_rate,
    fit_mention,
    implies,
    is_for_children,
    measures_same,
    read_claim,
)
from ckepe.modifiers import QUALIFIERS
from ckepe.phrases import (
    LEAD_GROUPS,
    Mention,
    criterion_span,
    find_features,
    find_leads,
    find_quantities,
    share_subject,
    split_phrase,
    stems,
    without_leads,
    without_quantities,
)
from ckepe.prompt_set import Evidence, Relation
from ckepe.resolution import Resolution, Resolver
from ckepe.vocabulary import Vocabulary
from knowledge_sources.concept import Comparator, Concept, Criterion
from knowledge_sources.knowledge_base import KnowledgeBase
from knowledge_sources.naming import normalize_name, word_key
from knowledge_sources.translation import say_in_terms

NearTexts = Callable[[str], Sequence[tuple[str, float]]]
"""The knowledge's texts nearest in meaning to a text, with cosines, best first."""

_FitOf = tuple[Fit, str, Criterion]
"""A fit, the concept that owns the criterion, the criterion."""

_DIAGNOSES: Final = frozenset({"infarction", "ischemia", "hypertrophy", "rhythm"})
"""Kinds whose concepts are diagnoses, unless one required criterion makes them a sign."""
_NORMAL_ECG: Final = "ECG:normal-ecg"
_PARAPHRASE: Final = 0.86
_LONGEST: Final = 30
_CHAT: Final = re.compile(
    r"\b(?:sure|here (?:is|are)|as an ai|i cannot|i can't|please|sorry|of course|certainly"
    r"|sub-?types|attributes of|the following:|let me|hope this|ignore (?:the|all|previous)"
    r"|in summary|note that|scp-ecg statements?|umls)\b|[?!]|https?:",
    re.IGNORECASE,
)
_NOT_ECG: Final = re.compile(
    r"\b(?:pain|dyspn\w+|breath\w*|syncope|dizz\w+|fatigue|nausea|sweat\w*|edema|fever|cough"
    r"|troponin|echo\w*|ejection|murmur|auscult\w+|x-?ray|mri|angiogra\w+|stent\w*|ablation"
    r"|surgery|therap\w+|treat\w*|drug|medication|beta.?block\w*|anticoag\w+|aspirin|statin\w*"
    r"|biops\w+|blood|serum|plaque|thrombus|genetic|mutation|cholesterol|diabet\w+|smok\w+"
    r"|obes\w+|lung|pulse (?:deficit|oximetry)|palpitation\w*|headache|stroke|weight|skin|liver"
    r"|kidney)\b",
    re.IGNORECASE,
)
_INVENTED_TYPE: Final = re.compile(
    r"\b(?:type|typ|grade|class|stage|variant)\s+\w{1,4}\b|\b\w+(?:'s)? type\b|\bhalf\b",
    re.IGNORECASE,
)
"""A numbered or named type: it exists only where a source has it by name."""
_GENERIC_WORDS: Final = (
    "type form pattern change abnormality finding lead wave complex interval segment other various",
    "condition sign symptom feature variant normal abnormal ecg heart rhythm beat conduction",
    "common",
    "rare left right anterior inferior lateral septal posterior acute chronic complete incomplete",
    "nonspecific non specific duration amplitude voltage axis block present absent st qrs p q r s",
    "t 1 2 3 4 i ii iii iv and or of with in a b c",
)
_GENERIC: Final = frozenset(word for line in _GENERIC_WORDS for word in line.split())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification found about one phrase."""

    phrase: str
    relation: Relation
    evidence: tuple[Evidence, ...]
    reason: str
    """One sentence that a clinician can read."""

    @property
    def is_accepted(self) -> bool:
        """Whether the phrase may stand in the label's prompt."""
        return self.relation.is_accepted

    @property
    def verdict(self) -> str:
        """`accept` or `reject`."""
        return "accept" if self.is_accepted else "reject"


class Verifier:
    """Judges phrases against concepts.

    Args:
        knowledge_base: What counts as known.
        find_near: Finds paraphrases of a concept's own names and criteria; without it only names
            and structured criteria count.
    """

    def __init__(self, knowledge_base: KnowledgeBase, find_near: NearTexts | None = None) -> None:
        self.knowledge_base = knowledge_base
        self._find_near = find_near
        self._resolver = Resolver(knowledge_base)
        self._vocabulary = Vocabulary(knowledge_base)
        self._of_members: dict[str, tuple[tuple[str, Criterion], ...]] = {}

    def verify(self, phrase: str, concept_ids: Sequence[str]) -> Verdict:
        """Return the verdict on a phrase for a label that means these concepts.

        Args:
            phrase: A proposed sub-type or attribute.
            concept_ids: The label's concepts; empty where the label is not grounded.
        """
        targets = tuple(dict.fromkeys(self.knowledge_base.head(c) for c in concept_ids))
        for target in targets:
            verbatim = self._judge_verbatim(phrase, target)
            if verbatim is not None:
                return verbatim
        refused = self._refuse_form(phrase)
        if refused is not None:
            return refused
        if not targets:
            reason = "No source knows the label, so nothing can be proven about it."
            return Verdict(phrase, Relation.UNKNOWN, (), reason)
        whole = _best(self._judge(phrase, target) for target in targets)
        if whole.is_accepted:
            return whole
        parts = self._parts(phrase)
        if len(parts) < 2:
            return whole
        return self._judge_parts(phrase, parts, targets, whole)

    def _refuse_form(self, phrase: str) -> Verdict | None:
        readings = (phrase, *say_in_terms(phrase))
        if any(self.knowledge_base.by_alias(reading) for reading in readings):
            return None
        return _refuse_form(phrase)

    def _parts(self, phrase: str) -> tuple[str, ...]:
        """The phrase in parts that each say something; one part if it is not compound."""
        parts = split_phrase(phrase)
        if len(parts) > 1:
            return parts
        for separator in (r"\s+with\s+", r"\s*,\s*(?:and\s+)?|\s+and\s+", r"\s+or\s+|\s*/\s*"):
            pieces = [p.strip(" .,") for p in re.split(separator, phrase) if p.strip(" .,")]
            pieces = share_subject(pieces)
            if len(pieces) > 1 and all(self._says_something(p) for p in pieces):
                return tuple(pieces)
        return (phrase,)

    def _says_something(self, text: str) -> bool:
        claim = read_claim(text)
        return bool(claim.mentions) or self._resolver.resolve(text) is not None

    def _judge_parts(
        self, phrase: str, parts: Iterable[str], targets: Sequence[str], whole: Verdict
    ) -> Verdict:
        verdicts: list[Verdict] = []
        kinds: list[str] = []
        for part in parts:
            verdict = self._refuse_form(part) or _best(
                self._judge(part, t) for t in (*targets, *kinds)
            )
            if verdict.relation is Relation.NARROWER:
                kinds += [self.knowledge_base.head(e.concept_id) for e in verdict.evidence[:1]]
            verdicts.append(verdict)
        proven = [v for v in verdicts if v.is_accepted]
        refused = [v for v in verdicts if not v.is_accepted]
        if proven and all(v.relation is Relation.BROADER and v.evidence for v in refused):
            refused = []  # a kind's own name within it: `bundle branch block with a wide R`
        if refused:
            worst = refused[0]
            if worst.relation is Relation.FRAGMENT:
                return whole
            reason = f"Its part {worst.phrase!r} is refused: {worst.reason}"
            return Verdict(phrase, worst.relation, worst.evidence, reason)
        evidence = tuple(e for v in verdicts for e in v.evidence)
        relation = Relation.ATTRIBUTE
        if any(v.relation in (Relation.SAME, Relation.NARROWER) for v in verdicts):
            relation = Relation.NARROWER
        reason = "Each part is supported: " + " ".join(v.reason for v in verdicts)
        return Verdict(phrase, relation, evidence, reason)

    def _judge(self, phrase: str, target: str) -> Verdict:
        resolution = self._resolver.resolve(phrase)
        named = None
        if resolution is not None:
            named = _best(self._relate(phrase, resolution, h, target) for h in resolution.heads)
            if named.relation is not Relation.OTHER_CONDITION:
                return named
        claimed = self._judge_claim(phrase, target)
        if claimed is not None and (claimed.is_accepted or claimed.relation is Relation.OPPOSITE):
            is_named = named is not None and not _is_sign_in_leads(phrase)
            if named and is_named and not self._is_telling(claimed, named, target):
                return named
            return claimed
        return named or self._judge_paraphrase(phrase, target) or claimed or self._unknown(phrase)

    def _is_telling(self, claimed: Verdict, named: Verdict, target: str) -> bool:
        """Whether a claim outweighs that the phrase names another condition.

        Not where the name is a diagnosis, of which the claim is but the words (`STEMI` says ST
        elevation); in a group only by what one of its members requires.
        """
        if any(self._is_diagnosis(e.concept_id) for e in named.evidence[:1]):
            return False
        if self.knowledge_base.get(target).kind != "group":
            return True
        required = {c.text for _, c in self._criteria(target) if c.is_required}
        return any(e.matched in required for e in claimed.evidence)

    def _is_diagnosis(self, head: str) -> bool:
        concept = self.knowledge_base.get(head)
        n_required = sum(c.is_required for c in concept.criteria)
        return concept.kind in _DIAGNOSES and n_required != 1

    # Names

    def _relate(self, phrase: str, found: Resolution, head: str, target: str) -> Verdict:
        knowledge = self.knowledge_base
        concept, label = knowledge.get(head), knowledge.get(target)
        evidence: tuple[Evidence, ...] = (self._evidence(head, found.matched, found.score),)
        name, of = concept.canonical_name, label.canonical_name
        if head == target:
            if found.is_qualified:
                reason = f"A qualified form of {of}."
                return Verdict(phrase, Relation.NARROWER, evidence, reason)
            return Verdict(phrase, Relation.SAME, evidence, f"Another name of {of}.")
        if head in knowledge.descendants(target):
            reason = f"{name} is a kind of {of}."
            return Verdict(phrase, Relation.NARROWER, evidence, reason)
        is_excluded = head in knowledge.ancestors(target) | knowledge.contradictions(target)
        supporting = None if is_excluded else self._criterion_showing(concept, target)
        if supporting is not None:
            owner, criterion = supporting
            evidence += (self._evidence(owner, criterion.text, 1.0),)
            reason = f"{name} is what a criterion of {of} demands: {criterion.text}."
            return Verdict(phrase, Relation.ATTRIBUTE, evidence, reason)
        return Verdict(phrase, *self._refuse_concept(concept, label, evidence))

    def _refuse_concept(
        self, concept: Concept, label: Concept, evidence: tuple[Evidence, ...]
    ) -> tuple[Relation, tuple[Evidence, ...], str]:
        knowledge = self.knowledge_base
        head, target = concept.concept_id, label.concept_id
        name, of = concept.canonical_name, label.canonical_name
        if head in knowledge.ancestors(target):
            return Relation.BROADER, evidence, f"{name} also holds what is not {of}."
        axis = opposing_axis(name, of)
        are_siblings = bool(knowledge.parents(head) & knowledge.parents(target))
        if head in knowledge.contradictions(target):
            if axis is not None and not (are_siblings and axis in ("wall", "chamber", "ordinal")):
                return Relation.OPPOSITE, evidence, f"{name} is the opposite of {of} ({axis})."
            reason = f"{name} excludes {of}."
            return (Relation.SIBLING if are_siblings else Relation.OPPOSITE), evidence, reason
        if are_siblings or self._are_cousins(head, target):
            reason = f"{name} stands beside {of}, it is not a kind of it."
            return Relation.SIBLING, evidence, reason
        return Relation.OTHER_CONDITION, evidence, f"{name} is another condition than {of}."

    def _are_cousins(self, head: str, target: str) -> bool:
        shared = self.knowledge_base.ancestors(head) & self.knowledge_base.ancestors(target)
        return any(len(self.knowledge_base.descendants(a)) <= 12 for a in shared)

    def _criterion_showing(self, concept: Concept, target: str) -> tuple[str, Criterion] | None:
        """A criterion of the label's own that shows the concept, or is worded as its name."""
        names = {normalize_name(n) for n in concept.names}
        for criterion in self._cluster_criteria(target):
            if implies(concept, criterion) or normalize_name(criterion.text) in names:
                return target, criterion
        return None

    # Criteria

    def _judge_verbatim(self, phrase: str, target: str) -> Verdict | None:
        """The verdict on a phrase that is word for word a criterion of the concept."""
        said = normalize_name(phrase)
        for criterion in self._cluster_criteria(target):
            if normalize_name(criterion.text) == said:
                evidence = (self._evidence(target, criterion.text, 1.0),)
                of = self.knowledge_base.get(target).canonical_name
                return Verdict(phrase, Relation.ATTRIBUTE, evidence, f"A criterion of {of}.")
        return None

    def _criteria(self, target: str) -> list[tuple[str, Criterion]]:
        """The criteria that speak for a concept: its own, its ancestors', a group's members'.

        An ancestor's criterion counts only where it is required of all its members and the concept
        says nothing of the same feature.
        """
        knowledge = self.knowledge_base
        own = [(target, c) for c in self._cluster_criteria(target)]
        if knowledge.get(target).kind == "group":
            own += self._member_criteria(target)
        said = {c.feature for _, c in own}
        for ancestor in sorted(knowledge.ancestors(target)):
            own += [
                (ancestor, c)
                for c in self._cluster_criteria(ancestor)
                if c.is_required and not is_for_children(c) and c.feature not in said
            ]
        return own

    def _member_criteria(self, group: str) -> tuple[tuple[str, Criterion], ...]:
        """What shows one of a group's members; not what merely goes along with one.

        A prolonged PR interval may accompany digitalis effect, but is no ST-T change: a criterion
        that is not required does not count where it shows a finding outside the group by itself,
        or, in a group without rhythms, where it holds in a normal ECG too.
        """
        if group not in self._of_members:
            knowledge = self.knowledge_base
            members = sorted(knowledge.descendants(group))
            inside = {group, *members, *knowledge.ancestors(group)}
            outside = [knowledge.get(h) for h in knowledge.heads() if h not in inside]
            kinds = {knowledge.get(m).kind for m in members}
            normal = frozenset() if kinds & {"rhythm", "ectopy"} else self._normal
            self._of_members[group] = tuple(
                (member, c)
                for member in members
                for c in self._cluster_criteria(member)
                if c.is_required
                or not (
                    (c.feature, _is_limit_above(c)) in normal or any(implies(o, c) for o in outside)
                )
            )
        return self._of_members[group]

    @cached_property
    def _normal(self) -> frozenset[tuple[str, bool]]:
        """Features of a normal ECG, each with whether it is a limit from above."""
        if _NORMAL_ECG not in self.knowledge_base.concepts:
            return frozenset()
        criteria = self.knowledge_base.get(_NORMAL_ECG).criteria
        return frozenset((c.feature, _is_limit_above(c)) for c in criteria)

    def _cluster_criteria(self, head: str) -> list[Criterion]:
        return [
            c
            for m in self.knowledge_base.cluster(head)
            for c in self.knowledge_base.get(m).criteria
        ]

    def _judge_claim(self, phrase: str, target: str) -> Verdict | None:
        """The verdict on a phrase read as features, leads and quantities; None if it names none.

        Every feature that it names must be supported, and every quantity must belong to one.
        """
        claim = read_claim(phrase)
        criteria = self._criteria(target)
        if not claim.mentions or not criteria or _INVENTED_TYPE.search(phrase):
            return None
        if "rr_interval" not in {c.feature for _, c in criteria}:
            claim = as_rate(claim)
        of = self.knowledge_base.get(target).canonical_name
        if opposing_axis(claim.text, of) == "completeness":
            reason = f"It speaks of another completeness than {of}."
            return Verdict(phrase, Relation.OPPOSITE, (), reason)
        said = " ".join((of, *(c.text for _, c in criteria)))
        if (
            "ordinal" in {a for a, _ in poles(said)}
            and opposing_axis(claim.text, said) == "ordinal"
        ):
            reason = f"It counts otherwise than {of}."
            return Verdict(phrase, Relation.OPPOSITE, (), reason)
        mentions = claim.mentions
        if "normal" in of.split():
            mentions = tuple(replace(m, direction=None) for m in mentions)
        verdicts = [self._judge_mention(phrase, m, claim, criteria, of) for m in mentions]
        if len(verdicts) > 1:
            verdicts = [
                v for v, m in zip(verdicts, claim.mentions, strict=True)
                if m.feature not in _CONTEXT or v.relation in (Relation.OPPOSITE, *_ACCEPTED)
            ] or verdicts  # fmt: skip
        judged = _all_or_first_refused(phrase, verdicts)
        strange = self._vocabulary.strange_words(phrase)
        if strange and (judged.is_accepted or judged.relation is Relation.OTHER_CONDITION):
            reason = f"No source speaks of {strange[0]!r} on an ECG."
            return Verdict(phrase, Relation.UNKNOWN, (), reason)
        if judged.is_accepted and not _quantities_belong(claim, criteria):
            reason = f"No criterion of {of} has a limit in the unit that it names."
            return Verdict(phrase, Relation.UNKNOWN, (), reason)
        return judged

    def _judge_mention(
        self,
        phrase: str,
        mention: Mention,
        claim: Claim,
        criteria: Sequence[tuple[str, Criterion]],
        of: str,
    ) -> Verdict:
        fits: list[_FitOf] = [(fit_mention(mention, claim, c), o, c) for o, c in criteria]
        plain: list[_FitOf] = [f for f in fits if not is_for_children(f[2])]
        if claim.spans and any(f is not Fit.NONE for f, _, _ in plain):
            fits = plain
            general = [f for f in plain if not f[2].leads and f[0] is not Fit.NONE]
            if not claim.leads and general:
                fits = general
        for wanted, relation, saying in _FIT_VERDICTS:
            for fit, owner, criterion in fits:
                if fit is wanted:
                    evidence = (self._evidence(owner, criterion.text, 1.0),)
                    reason = saying.format(of=of, text=criterion.text)
                    return Verdict(phrase, relation, evidence, reason)
        return self._foreign_claim(phrase, mention, claim, of)

    def _foreign_claim(self, phrase: str, mention: Mention, claim: Claim, of: str) -> Verdict:
        for head in self.knowledge_base.heads():
            for criterion in self._cluster_criteria(head):
                if fit_mention(mention, claim, criterion) is Fit.MET:
                    name = self.knowledge_base.get(head).canonical_name
                    evidence = (self._evidence(head, criterion.text, 1.0),)
                    reason = f"This is a criterion of {name}, not of {of}."
                    return Verdict(phrase, Relation.OTHER_CONDITION, evidence, reason)
        return Verdict(phrase, Relation.UNKNOWN, (), f"No criterion of {of} says this.")

    # Paraphrases

    def _judge_paraphrase(self, phrase: str, target: str) -> Verdict | None:
        """A phrase that says a name or a criterion of the concept in other words."""
        if self._find_near is None or _INVENTED_TYPE.search(phrase):
            return None
        members = self.knowledge_base.cluster(target)
        names = {name for m in members for name in self.knowledge_base.get(m).names}
        criteria = {c.text: owner for owner, c in reversed(self._criteria(target))}
        for text, score in self._find_near(phrase):
            if score < _PARAPHRASE:
                break
            if text not in names and text not in criteria:
                continue
            if text in names and not self._merely_rewords(phrase, names):
                continue
            if same_poles(phrase, text) and _same_facts(phrase, text):
                evidence = (self._evidence(criteria.get(text, target), text, score),)
                relation = Relation.SAME if text in names else Relation.ATTRIBUTE
                return Verdict(phrase, relation, evidence, f"Says in other words: {text}.")
        return None

    def _merely_rewords(self, phrase: str, names: Iterable[str]) -> bool:
        """Whether every word of the phrase is in one of the names, or merely qualifies."""
        known = {w for name in names for w in word_key(name).split()}
        return set(word_key(phrase).split()) <= known | QUALIFIERS

    def _unknown(self, phrase: str) -> Verdict:
        reason = f"No source has {phrase!r}, neither as a name nor as a criterion."
        if _NOT_ECG.search(phrase):
            return Verdict(phrase, Relation.NOT_ECG, (), "This is not seen on an ECG.")
        return Verdict(phrase, Relation.UNKNOWN, (), reason)

    def _evidence(self, head: str, matched: str, score: float) -> Evidence:
        concept = self.knowledge_base.get(head)
        version = self.knowledge_base.sources[concept.source].version
        return Evidence(
            concept_id=head,
            source=concept.source,
            version=version,
            matched=matched,
            score=round(float(score), 4),
        )


_FIT_VERDICTS: Final = (
    (Fit.MET, Relation.ATTRIBUTE, "A criterion of {of}: {text}."),
    (Fit.OPPOSED, Relation.OPPOSITE, "Against a criterion of {of}: {text}."),
    (Fit.LOOSER, Relation.BROADER, "Says less than the criterion of {of}: {text}."),
    (Fit.ELSEWHERE, Relation.OTHER_CONDITION, "In other leads than {of} demands: {text}."),
)
_ACCEPTED: Final = (Relation.SAME, Relation.NARROWER, Relation.ATTRIBUTE)
_CONTEXT: Final = frozenset(
    {"p_wave", "premature_beat", "rr_regular", "pp_regular", "st_change", "t_change"}
)
"""Features that a phrase may name beside what it is about: `spike followed by a P wave`."""
_TERRITORIES: Final = frozenset(word for name in LEAD_GROUPS for word in name.split())
_ORDER: Final = (
    Relation.SAME, Relation.NARROWER, Relation.ATTRIBUTE, Relation.OPPOSITE, Relation.SIBLING,
    Relation.BROADER, Relation.OTHER_CONDITION, Relation.UNKNOWN, Relation.NOT_ECG,
    Relation.FRAGMENT,
)  # fmt: skip


def _is_limit_above(criterion: Criterion) -> bool:
    return criterion.comparator in (Comparator.LESS_THAN, Comparator.AT_MOST, Comparator.ABSENT)


def _quantities_belong(claim: Claim, criteria: Sequence[tuple[str, Criterion]]) -> bool:
    """Whether each range of the claim has a criterion in its unit for a feature that it names."""
    named = {m.feature for m in claim.mentions}
    for span in claim.spans:
        limits = [
            limit
            for _, c in criteria
            if (limit := criterion_span(c)) is not None
            and limit.unit == span.unit
            and (c.feature in named or any(_speak_of_same(m, c.feature) for m in named))
        ]
        if not any(limit.contains(span, 0.05) or limit.overlaps(span) for limit in limits):
            return False
    return True


def _speak_of_same(feature: str, measurement: str) -> bool:
    return measures_same(feature, measurement) or measures_same(measurement, feature)


def _preference(verdict: Verdict) -> int:
    return _ORDER.index(verdict.relation)


def _best(verdicts: Iterable[Verdict]) -> Verdict:
    return min(verdicts, key=_preference)


def _all_or_first_refused(phrase: str, verdicts: Sequence[Verdict]) -> Verdict:
    """Accept only if every feature that the phrase names is supported."""
    refused = [v for v in verdicts if not v.is_accepted]
    if refused:
        return _best(refused)
    evidence = tuple(dict.fromkeys(e for v in verdicts for e in v.evidence))
    return Verdict(phrase, verdicts[0].relation, evidence, verdicts[0].reason)


def _refuse_form(phrase: str) -> Verdict | None:
    """Refuse what is no phrase at all, before any knowledge is asked."""
    text = phrase.strip()
    words = normalize_name(text).split()
    if not words or not any(c.isalpha() for c in text):
        return Verdict(phrase, Relation.FRAGMENT, (), "There are no words in it.")
    if len(words) > _LONGEST or _CHAT.search(text):
        reason = "This is a sentence of a conversation, not a finding."
        return Verdict(phrase, Relation.FRAGMENT, (), reason)
    rest = normalize_name(without_leads(text)).split()
    is_bare_leads = bool(find_leads(text)) and not set(rest) - _GENERIC - {"lead", "wall", "area"}
    if is_bare_leads and not read_claim(text).mentions and not find_quantities(text):
        return Verdict(phrase, Relation.FRAGMENT, (), "It names leads and no finding.")
    if len(words) == 1 and len(find_features(text)) == 0:
        return Verdict(phrase, Relation.UNKNOWN, (), "No source has this word as a name.")
    if words[0] in _GENERIC | {"premature"} and len(words) == 1:
        return Verdict(phrase, Relation.FRAGMENT, (), "One word of a finding is no finding.")
    if len(set(words)) <= 3 and not set(words) - _GENERIC and not read_claim(text).mentions:
        return Verdict(phrase, Relation.FRAGMENT, (), "It is too general to mean a finding.")
    return None


def _is_sign_in_leads(phrase: str) -> bool:
    """Whether a phrase is nothing but a sign and where it is seen: `ST elevation in V1-V3`.

    That it may also stand for a diagnosis does not make it less of a sign.
    """
    claim = read_claim(phrase)
    words = stems(without_leads(without_quantities(phrase))) - _TERRITORIES
    return bool(claim.leads) and len(words) <= sum(m.n_words for m in claim.mentions)


def _same_facts(one: str, other: str) -> bool:
    """Whether two texts name the same numbers and compatible leads and ranges."""
    if numerals(one) != numerals(other):
        return False
    leads, others = set(find_leads(one)), set(find_leads(other))
    numbers, other_numbers = find_quantities(one), find_quantities(other)
    return (not leads or not others or leads <= others) and (
        not numbers or not other_numbers or numbers == other_numbers
    )
