"""Words that qualify a finding without making another one of it: age, certainty, course."""

from typing import Final

from knowledge_sources.naming import normalize_name

_COURSE: Final = (
    "intermittent transient persistent permanent longstanding recurrent chronic new onset new"
    " frequent occasional rare isolated single multiple repeated sustained nonsustained episodic"
)
_CERTAINTY: Final = (
    "possible probable suspected likely definite consider borderline suggest suggests suggestive"
    " consistent compatible present significant marked mild moderate severe minimal slight minor"
    " extensive advanced high-grade clear evident"
)
_AGE: Final = (
    "acute subacute recent evolving old healed prior previous age undetermined indeterminate"
    " unknown early late hyperacute"
)
_FORM: Final = (
    "typical atypical common uncommon classic classical coarse fine unifocal monomorphic uniform"
    " paroxysmal symptomatic asymptomatic lone valvular nonvalvular rate dependent rate-related"
    " like induced related associated"
    " ecg finding sign pattern criterion change abnormality evidence statement type syndrome"
    " wall region localized leads rhythm disturbance disorder condition heart cardiac"
)
_JOINING: Final = "of in on the a an and with to for at by as is or due"
QUALIFIERS: Final = frozenset(
    normalize_name(word)
    for words in (_COURSE, _CERTAINTY, _AGE, _FORM, _JOINING)
    for word in words.split()
)
"""Compared after `normalize_name`."""

_KIND_FREE: Final = QUALIFIERS - frozenset(_AGE.split())
_AGED_KINDS: Final = frozenset({"infarction", "ischemia", "repolarization", "group"})


def are_qualifiers(words: frozenset[str], kind: str) -> bool:
    """Return whether all words merely qualify a finding of this kind.

    An infarction has an age; a rhythm or a block has a course, but no age.
    """
    return words <= (QUALIFIERS if kind in _AGED_KINDS else _KIND_FREE | {"new", "old", "acute"})
