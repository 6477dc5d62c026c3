"""API keys in the database: hashed, with scopes, an end and a successor."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import select

from api.database import ApiKeyRow, Database, in_utc, now
from api.errors import RequestError

_PREFIX: Final = "merl_"


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """Look things up: prompt sets, reviews, label sets, knowledge, models, metrics."""
    CLASSIFY = "classify"
    """Send ECGs; includes `read`."""
    GENERATE = "generate"
    """Engineer, verify and review prompts; includes `read`."""
    ADMIN = "admin"
    """Publish prompt sets; includes all others."""

    @property
    def includes(self) -> frozenset["Scope"]:
        """The scopes that this one stands for, itself among them."""
        if self is Scope.ADMIN:
            return frozenset(Scope)
        return frozenset({self, Scope.READ})


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def is_valid(self) -> bool:
        """Whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now())

    def allows(self, scope: Scope) -> bool:
        """Whether one of its scopes includes `scope`."""
        return any(scope in own.includes for own in self.scopes)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; its secret is shown once and stored nowhere."""

    key: ApiKey
    secret: str


class KeyStore:
    """API keys by the sha256 of their secret.

    A fast hash is enough: secrets are 256 random bits, which cannot be tried out.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, name: str, scopes: Iterable[str], *, valid_for: timedelta | None = None
    ) -> NewKey:
        """Return a new key.

        Raises:
            RequestError: `invalid_request` for a scope that does not exist, or none.
        """
        checked = _checked(scopes)
        secret = _PREFIX + secrets.token_urlsafe(32)
        created_at = now()
        row = ApiKeyRow(
            id=secrets.token_hex(4),
            name=name,
            digest=digest_of(secret),
            scopes=" ".join(checked),
            created_at=created_at,
            expires_at=None if valid_for is None else created_at + valid_for,
        )
        with self._database.session() as session:
            session.add(row)
            session.commit()
            return NewKey(_key(row), secret)

    def rotate(self, key_id: str, *, grace: timedelta) -> NewKey:
        """Return a successor with the same name and scopes; the old key ends after `grace`.

        Raises:
            RequestError: `not_found`; `invalid_request` if it is not valid any more.
        """
        old = self.get(key_id)
        if not old.is_valid:
            msg = f"key {key_id!r} is not valid any more; create a new one"
            raise RequestError(msg, code="invalid_request")
        made = self.create(old.name, old.scopes)
        with self._database.session() as session:
            row = session.get_one(ApiKeyRow, key_id)
            end = now() + grace
            row.expires_at = end if old.expires_at is None else min(end, old.expires_at)
            session.commit()
        return made

    def revoke(self, key_id: str) -> ApiKey:
        """End a key at once.

        Raises:
            RequestError: `not_found`.
        """
        self.get(key_id)
        with self._database.session() as session:
            row = session.get_one(ApiKeyRow, key_id)
            row.revoked_at = row.revoked_at or now()
            session.commit()
            return _key(row)

    def get(self, key_id: str) -> ApiKey:
        """Return the key of an id.

        Raises:
            RequestError: `not_found`.
        """
        with self._database.session() as session:
            row = session.get(ApiKeyRow, key_id)
            if row is None:
                msg = f"there is no API key {key_id!r}; see 'merl keys list'"
                raise RequestError(msg, code="not_found")
            return _key(row)

    def find(self, secret: str) -> ApiKey | None:
        """Return the key of a secret, valid or not, or None."""
        query = select(ApiKeyRow).where(ApiKeyRow.digest == digest_of(secret))
        with self._database.session() as session:
            row = session.scalars(query).first()
            return None if row is None else _key(row)

    def all(self) -> Sequence[ApiKey]:
        """Return every key, the oldest first."""
        query = select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id)
        with self._database.session() as session:
            return [_key(row) for row in session.scalars(query)]


def digest_of(secret: str) -> str:
    """Return the sha256 of a secret as hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _checked(scopes: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(str(scope) for scope in scopes))
    unknown = [scope for scope in chosen if scope not in set(Scope)]
    if unknown or not chosen:
        asked = f"scope {unknown[0]!r} does not exist" if unknown else "no scope was given"
        msg = f"{asked}; expected one or more of {', '.join(Scope)}"
        raise RequestError(msg, code="invalid_request")
    return chosen


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=tuple(Scope(scope) for scope in row.scopes.split()),
        created_at=in_utc(row.created_at),
        expires_at=None if row.expires_at is None else in_utc(row.expires_at),
        revoked_at=None if row.revoked_at is None else in_utc(row.revoked_at),
    )
