"""Review: the prompt set that follows from decisions."""

import pytest

from ckepe.errors import CkepeError
from ckepe.prompt_set import Phrase, PromptSet, RejectedPhrase, Relation
from ckepe.review import Action, Decision, Status, reviewed_phrases, revise

from ..prompt_sets import one_class_set, phrase

LABEL = "left bundle branch block"
SUBTYPE = phrase("incomplete block", Relation.NARROWER)
ATTRIBUTE = phrase("broad R wave in V6")
REFUSED = RejectedPhrase(
    text="delta wave", relation=Relation.OTHER_CONDITION, evidence=(), reason="not of this"
)
BASE = one_class_set(LABEL, SUBTYPE, ATTRIBUTE, names=["LBBB"], rejected=[REFUSED])


def fits(text: str) -> bool:
    return len(text.split()) <= 256


def decision(action: Action, phrase: str, wording: Phrase | None = None) -> Decision:
    return Decision(action, LABEL, phrase, "R", "because", wording)


def test_no_decision_changes_nothing() -> None:
    assert revise(BASE, [], fits).id == BASE.id
    approved = [decision(Action.APPROVE, p.text) for p in (SUBTYPE, ATTRIBUTE)]
    assert revise(BASE, approved, fits).id == BASE.id


def test_names_stay_at_the_head_of_the_prompt() -> None:
    revised = revise(BASE, [decision(Action.REJECT, SUBTYPE.text)], fits)
    assert revised.texts[LABEL] == f"{LABEL}, LBBB, broad R wave in V6"
    assert revised.id != BASE.id


def test_a_prompt_may_lose_all_its_phrases() -> None:
    refused = [decision(Action.REJECT, p.text) for p in (SUBTYPE, ATTRIBUTE)]
    assert revise(BASE, refused, fits).texts[LABEL] == f"{LABEL}, LBBB"


def test_the_last_decision_on_a_phrase_counts() -> None:
    steps = [decision(Action.REJECT, SUBTYPE.text), decision(Action.APPROVE, SUBTYPE.text)]
    assert revise(BASE, steps, fits).id == BASE.id


def test_a_refused_phrase_can_be_taken_in_and_a_note_says_so() -> None:
    (prompt,) = revise(BASE, [decision(Action.APPROVE, "delta wave")], fits).prompts
    assert prompt.text.endswith("broad R wave in V6, delta wave")
    assert prompt.rejected == ()
    assert "against verification (other-condition)" in prompt.notes[0]


def test_a_proposed_phrase_is_pending_and_stands_in_the_draft() -> None:
    new = Phrase(text="notched R wave", relation=Relation.ATTRIBUTE, evidence=())
    steps = [decision(Action.PROPOSE, new.text, new)]
    statuses = {item.phrase.text: item.status for item in reviewed_phrases(BASE, steps)}
    assert statuses[new.text] is Status.PENDING
    assert revise(BASE, steps, fits).texts[LABEL].endswith("notched R wave")


@pytest.mark.parametrize(
    "wrong",
    [
        Decision(Action.APPROVE, "no such label", "x", "R", "r"),
        decision(Action.REJECT, "no such phrase"),
        decision(Action.PROPOSE, SUBTYPE.text, SUBTYPE),
    ],
)
def test_decisions_about_what_is_not_there_are_refused(wrong: Decision) -> None:
    with pytest.raises(CkepeError, match=r"no such|already"):
        revise(BASE, [wrong], fits)


def test_a_revised_set_reads_back_under_its_id() -> None:
    revised = revise(BASE, [decision(Action.REJECT, ATTRIBUTE.text)], fits)
    assert PromptSet.model_validate_json(revised.to_json()) == revised
