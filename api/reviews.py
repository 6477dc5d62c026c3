"""The review workflow: decisions with reviewer and reason, an audit trail, published versions."""

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.database import Database, PublicationRow, ReviewEventRow, ReviewRow, in_utc, now
from api.errors import RequestError
from api.parts import Engineer
from api.review_schemas import (
    ChangeBody,
    DecisionRequest,
    DiffBody,
    PublicationBody,
    PublicationPage,
    ReviewBody,
    ReviewEventBody,
    ReviewEventPage,
    ReviewPage,
    ReviewPhraseBody,
    ReviewSummary,
)
from api.store import add_prompt_set, find_prompt_set
from ckepe.diff import diff_prompt_sets
from ckepe.errors import CkepeError
from ckepe.prompt_set import Phrase, PromptSet
from ckepe.review import (
    Action,
    Decision,
    ReviewedPhrase,
    Status,
    reviewed_phrases,
    revise,
)

_ATTEMPTS: Final = 5
_REFERENCE: Final = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]{0,62})(?:@(?P<version>[1-9]\d{0,8}))?"
)
_T = TypeVar("_T")


class ReviewDesk:
    """Opens reviews, takes decisions, and publishes what follows from them.

    Args:
        database: Where reviews, their events and publications are.
        engineer: Verifies what reviewers word themselves.
    """

    def __init__(self, database: Database, engineer: Engineer) -> None:
        self._database = database
        self._engineer = engineer

    def open(
        self, name: str, prompt_set_id: str, *, reviewer: str, reason: str, api_key: str | None
    ) -> ReviewBody:
        """Open a review of a stored prompt set.

        Raises:
            RequestError: `unknown_prompt_set`.
        """
        with self._database.session() as session:
            if find_prompt_set(session, prompt_set_id) is None:
                msg = f"no prompt set is stored under the id {prompt_set_id!r}"
                raise RequestError(msg, code="unknown_prompt_set")
            row = ReviewRow(
                id=uuid.uuid4().hex,
                name=name,
                base_id=prompt_set_id,
                state="open",
                created_at=now(),
            )
            session.add(row)
            session.flush()
            _add_event(session, row.id, "open", reviewer, reason, api_key)
            session.commit()
            return self._body(session, row)

    def get(self, review_id: str) -> ReviewBody:
        """Return a review with every phrase.

        Raises:
            RequestError: `not_found`.
        """
        with self._database.session() as session:
            return self._body(session, _review(session, review_id))

    def page(self, *, limit: int, offset: int) -> ReviewPage:
        """Return reviews, the newest first."""
        query = select(ReviewRow).order_by(ReviewRow.created_at.desc(), ReviewRow.id)
        with self._database.session() as session:
            total = session.scalar(select(func.count()).select_from(ReviewRow)) or 0
            rows = session.scalars(query.limit(limit).offset(offset))
            items = [ReviewSummary.model_validate(_summary(row)) for row in rows]
        return ReviewPage(items=items, total=total, next_offset=_next(offset, len(items), total))

    def events(self, review_id: str, *, limit: int, offset: int) -> ReviewEventPage:
        """Return the audit trail of a review, the oldest entry first.

        Raises:
            RequestError: `not_found`.
        """
        table = ReviewEventRow
        query = select(table).where(table.review_id == review_id).order_by(table.number)
        count = select(func.count()).select_from(table).where(table.review_id == review_id)
        with self._database.session() as session:
            _review(session, review_id)
            total = session.scalar(count) or 0
            rows = session.scalars(query.limit(limit).offset(offset))
            items = [_event_body(row) for row in rows]
        return ReviewEventPage(
            items=items, total=total, next_offset=_next(offset, len(items), total)
        )

    def decide(
        self,
        review_id: str,
        asked: Sequence[DecisionRequest],
        *,
        reviewer: str,
        reason: str,
        api_key: str | None,
    ) -> ReviewBody:
        """Take decisions, all or none.

        Raises:
            RequestError: `not_found`; `review_closed`; `invalid_decision` for a phrase that is not
                there; `phrase_refused` where verification refuses a wording and it is not
                overridden.
        """

        def attempt(session: Session) -> ReviewBody:
            row = _open_review(session, review_id)
            base = _base(session, row)
            taken = _decisions(session, review_id)
            for item in asked:
                decision = self._decision(base, item, reviewer, reason)
                taken.append(decision)
                found = _checked(base, taken)
                _check_override(found, item)
                wording = decision.wording
                _add_event(
                    session, review_id, item.action.value, reviewer, reason, api_key,
                    label=item.label, phrase=decision.phrase,
                    replacement=None if wording is None else wording.model_dump(mode="json"),
                )  # fmt: skip
            session.commit()
            return self._body(session, row)

        return self._retried(attempt)

    def diff(self, review_id: str) -> DiffBody:
        """Return how the draft differs from the set under review.

        Raises:
            RequestError: `not_found`.
        """
        with self._database.session() as session:
            row = _review(session, review_id)
            base = _base(session, row)
            return diff_body(
                base, revise(base, _decisions(session, review_id), self._engineer.fits)
            )

    def publish(
        self, review_id: str, *, reviewer: str, reason: str, api_key: str | None
    ) -> PublicationBody:
        """Store the reviewed set and publish it as the next version of the review's name.

        Raises:
            RequestError: `not_found`, `review_closed`, `review_incomplete`.
        """

        def attempt(session: Session) -> PublicationBody:
            row = _open_review(session, review_id)
            base = _base(session, row)
            decisions = _decisions(session, review_id)
            pending = _pending(reviewed_phrases(base, decisions))
            if pending:
                first = pending[0]
                msg = (
                    f"{len(pending)} phrases are still to be decided on, the first is "
                    f"{first.phrase.text!r} of {first.label!r}"
                )
                raise RequestError(msg, code="review_incomplete")
            revised = revise(base, decisions, self._engineer.fits)
            add_prompt_set(session, revised)
            session.flush()
            latest = select(func.max(PublicationRow.version)).where(PublicationRow.name == row.name)
            publication = PublicationRow(
                name=row.name,
                version=(session.scalar(latest) or 0) + 1,
                prompt_set_id=revised.id,
                review_id=row.id,
                reviewer=reviewer,
                reason=reason,
                at=now(),
            )
            session.add(publication)
            row.state = "published"
            _add_event(session, review_id, "publish", reviewer, reason, api_key)
            session.commit()
            return _publication_body(publication)

        return self._retried(attempt)

    def publications(self, *, name: str | None, limit: int, offset: int) -> PublicationPage:
        """Return published versions, the newest first; of one name, or of all."""
        table = PublicationRow
        chosen = [] if name is None else [table.name == name]
        query = select(table).where(*chosen).order_by(table.at.desc(), table.name)
        count = select(func.count()).select_from(table).where(*chosen)
        with self._database.session() as session:
            total = session.scalar(count) or 0
            rows = session.scalars(query.limit(limit).offset(offset))
            items = [_publication_body(row) for row in rows]
        return PublicationPage(
            items=items, total=total, next_offset=_next(offset, len(items), total)
        )

    def find(self, reference: str) -> PublicationBody | None:
        """Return what `name` (its newest version) or `name@version` stands for, or None."""
        parts = _REFERENCE.fullmatch(reference)
        if parts is None:
            return None
        table = PublicationRow
        query = select(table).where(table.name == parts["name"]).order_by(table.version.desc())
        if parts["version"]:
            query = query.where(table.version == int(parts["version"]))
        return self._first(query)

    def published_as(self, prompt_set_id: str) -> PublicationBody | None:
        """Return the newest publication of a prompt set, or None."""
        table = PublicationRow
        query = select(table).where(table.prompt_set_id == prompt_set_id)
        return self._first(query.order_by(table.at.desc()))

    def _first(self, query: Any) -> PublicationBody | None:
        with self._database.session() as session:
            row = session.scalars(query.limit(1)).first()
            return None if row is None else _publication_body(row)

    def _decision(
        self, base: PromptSet, asked: DecisionRequest, reviewer: str, reason: str
    ) -> Decision:
        is_edit = asked.action is Action.EDIT
        if is_edit != (asked.text is not None):
            msg = "field 'text' is the new wording: it goes with the action 'edit', and only there"
            raise RequestError(msg, code="invalid_decision")
        phrase = _one_line(asked.phrase) if asked.action is Action.PROPOSE else asked.phrase
        wording = None
        if asked.action in (Action.PROPOSE, Action.EDIT):
            wording = self._verified(base, asked, _one_line(asked.text or phrase), reviewer)
        return Decision(asked.action, asked.label, phrase, reviewer, reason, wording)

    def _verified(
        self, base: PromptSet, asked: DecisionRequest, text: str, reviewer: str
    ) -> Phrase:
        if asked.label not in base.texts:
            msg = f"the prompt set has no label {asked.label!r}"
            raise RequestError(msg, code="invalid_decision")
        (verdict,) = self._engineer.verify(asked.label, [text], base.label_set)
        if verdict.verdict != "accept" and not asked.override:
            msg = (
                f"verification refuses {text!r} for {asked.label!r} ({verdict.relation}): "
                f"{verdict.reason} Set 'override' to keep it all the same."
            )
            raise RequestError(msg, code="phrase_refused")
        return Phrase(
            text=text,
            relation=verdict.relation,
            evidence=verdict.evidence,
            proposed_by=f"reviewer:{reviewer}",
        )

    def _body(self, session: Session, row: ReviewRow) -> ReviewBody:
        base = _base(session, row)
        decisions = _decisions(session, row.id)
        items = reviewed_phrases(base, decisions)
        return ReviewBody(
            **_summary(row),
            n_pending=len(_pending(items)),
            prompts=revise(base, decisions, self._engineer.fits).texts,
            phrases=[_phrase_body(item) for item in items],
        )

    def _retried(self, attempt: Callable[[Session], _T]) -> _T:
        """Return what `attempt` returns; tried again where another request came between."""
        for _ in range(_ATTEMPTS):
            with self._database.session() as session:
                try:
                    return attempt(session)
                except IntegrityError:
                    session.rollback()
        msg = "other requests changed this review at the same time"
        raise RequestError(msg, code="review_busy", retry_after_s=1)


def diff_body(first: PromptSet, second: PromptSet) -> DiffBody:
    """Return what differs between two prompt sets."""
    changes = [
        ChangeBody.model_validate(
            {"label": item.label, "kind": item.kind, "what": item.what, "reason": item.reason}
        )
        for item in diff_prompt_sets(first, second)
    ]
    return DiffBody(from_id=first.id, to_id=second.id, changes=changes)


def is_reference(text: str) -> bool:
    """Whether a text may name a publication."""
    return _REFERENCE.fullmatch(text) is not None


def _review(session: Session, review_id: str) -> ReviewRow:
    row = session.get(ReviewRow, review_id)
    if row is None:
        msg = f"there is no review {review_id!r}"
        raise RequestError(msg, code="not_found")
    return row


def _open_review(session: Session, review_id: str) -> ReviewRow:
    row = _review(session, review_id)
    if row.state != "open":
        msg = f"the review is {row.state}; open a new one on the published set"
        raise RequestError(msg, code="review_closed")
    return row


def _base(session: Session, row: ReviewRow) -> PromptSet:
    base = find_prompt_set(session, row.base_id)
    assert base is not None  # a foreign key holds it
    return base


def _decisions(session: Session, review_id: str) -> list[Decision]:
    table = ReviewEventRow
    query = select(table).where(table.review_id == review_id).order_by(table.number)
    return [
        Decision(
            action=Action(row.action),
            label=row.label,
            phrase=row.phrase,
            reviewer=row.reviewer,
            reason=row.reason,
            wording=None if row.replacement is None else Phrase.model_validate(row.replacement),
        )
        for row in session.scalars(query)
        if row.label is not None and row.phrase is not None
    ]


def _checked(base: PromptSet, decisions: Iterable[Decision]) -> list[ReviewedPhrase]:
    try:
        return reviewed_phrases(base, decisions)
    except CkepeError as error:
        raise RequestError(str(error), code="invalid_decision") from error


def _check_override(found: Iterable[ReviewedPhrase], asked: DecisionRequest) -> None:
    if asked.action is not Action.APPROVE or asked.override:
        return
    item = next(f for f in found if (f.label, f.phrase.text) == (asked.label, asked.phrase))
    if not item.phrase.relation.is_accepted:
        msg = (
            f"verification refuses {asked.phrase!r} for {asked.label!r} "
            f"({item.phrase.relation}); set 'override' to keep it all the same"
        )
        raise RequestError(msg, code="phrase_refused")


def _add_event(
    session: Session,
    review_id: str,
    action: str,
    reviewer: str,
    reason: str,
    api_key: str | None,
    **about: Any,
) -> None:
    """Add the next entry of the audit trail; its number collides with that of a rival."""
    table = ReviewEventRow
    latest = session.scalar(select(func.max(table.number)).where(table.review_id == review_id))
    session.add(
        ReviewEventRow(
            review_id=review_id,
            number=(latest or 0) + 1,
            at=now(),
            action=action,
            reviewer=reviewer,
            api_key=api_key,
            reason=reason,
            **about,
        )
    )
    session.flush()


def _pending(items: Iterable[ReviewedPhrase]) -> list[ReviewedPhrase]:
    return [item for item in items if item.status is Status.PENDING]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _next(offset: int, n_items: int, total: int) -> int | None:
    following = offset + n_items
    return following if n_items and following < total else None


def _summary(row: ReviewRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "prompt_set_id": row.base_id,
        "state": row.state,
        "created_at": in_utc(row.created_at),
    }


def _phrase_body(item: ReviewedPhrase) -> ReviewPhraseBody:
    shown = item.wording or item.phrase
    return ReviewPhraseBody(
        label=item.label,
        phrase=item.phrase.text,
        relation=shown.relation.value,
        evidence=[evidence.model_dump(mode="json") for evidence in shown.evidence],
        proposed_by=shown.proposed_by,
        status=item.status,
        was_refused=item.was_refused,
        wording=None if item.wording is None else item.wording.text,
        reviewer=item.reviewer,
        reason=item.reason,
    )


def _event_body(row: ReviewEventRow) -> ReviewEventBody:
    return ReviewEventBody.model_validate(
        {
            "number": row.number,
            "at": in_utc(row.at),
            "action": row.action,
            "reviewer": row.reviewer,
            "api_key": row.api_key,
            "reason": row.reason,
            "label": row.label,
            "phrase": row.phrase,
            "wording": row.replacement,
        }
    )


def _publication_body(row: PublicationRow) -> PublicationBody:
    return PublicationBody(
        reference=f"{row.name}@{row.version}",
        name=row.name,
        version=row.version,
        prompt_set_id=row.prompt_set_id,
        review_id=row.review_id,
        reviewer=row.reviewer,
        reason=row.reason,
        at=in_utc(row.at),
    )
