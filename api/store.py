"""Prompt sets in the database: stored once by content hash, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.database import Database, PromptSetRow, in_utc, now
from ckepe.prompt_set import PromptSet


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """What a list of prompt sets says of each."""

    id: str
    created_at: datetime
    label_set: str | None
    llm: str | None
    n_labels: int


class PromptSetStore:
    """Immutable, content-addressed prompt sets.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, prompt_set: PromptSet) -> bool:
        """Store a set; returns False if it was there already."""
        with self._database.session() as session:
            if not add_prompt_set(session, prompt_set):
                return False
            try:
                session.commit()
            except IntegrityError:
                return False
        return True

    def get(self, prompt_set_id: str) -> PromptSet | None:
        """Return a stored set, or None."""
        with self._database.session() as session:
            return find_prompt_set(session, prompt_set_id)

    def count(self) -> int:
        """Return how many sets are stored."""
        with self._database.session() as session:
            return session.scalar(select(func.count()).select_from(PromptSetRow)) or 0

    def page(self, *, limit: int, offset: int) -> Sequence[StoredSummary]:
        """Return summaries, the newest first."""
        table = PromptSetRow
        query = (
            select(table.id, table.created_at, table.label_set, table.llm, table.n_labels)
            .order_by(table.created_at.desc(), table.id)
            .limit(limit)
            .offset(offset)
        )
        with self._database.session() as session:
            return [
                StoredSummary(found.id, in_utc(found.created_at), *found[2:])
                for found in session.execute(query)
            ]


def add_prompt_set(session: Session, prompt_set: PromptSet) -> bool:
    """Add a set to a session; returns False if it is stored already."""
    if session.get(PromptSetRow, prompt_set.id) is not None:
        return False
    row = PromptSetRow(
        id=prompt_set.id,
        created_at=now(),
        label_set=prompt_set.label_set,
        llm=prompt_set.generator.llm,
        n_labels=len(prompt_set.prompts),
        content=prompt_set.to_json(),
    )
    session.add(row)
    return True


def find_prompt_set(session: Session, prompt_set_id: str) -> PromptSet | None:
    """Return the set of this id, or None."""
    row = session.get(PromptSetRow, prompt_set_id)
    return None if row is None else PromptSet.model_validate_json(row.content)
