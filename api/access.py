"""Who a request comes from, and what that allows."""

import hashlib
import hmac
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import anyio.to_thread
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from api.errors import RequestError
from api.keys import ApiKey, Scope, digest_of

_REMEMBERED_S: Final = 5.0
"""A key that was revoked opens nothing after this at the latest."""
_MAX_REMEMBERED: Final = 4096

_SCOPE_OF_POST: Final = (
    (re.compile(r"/classify(/batch)?|/plot"), Scope.CLASSIFY),
    (re.compile(r"/reviews/[^/]+/publish"), Scope.ADMIN),
    (re.compile(r"/prompts/\w+|/reviews(/[^/]+/decisions)?"), Scope.GENERATE),
)

_T = TypeVar("_T")


def needed_scope(method: str, path: str) -> Scope:
    """Return the scope that a request needs; what is not known needs the highest."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return Scope.READ
    for pattern, scope in _SCOPE_OF_POST:
        if method == "POST" and pattern.fullmatch(path):
            return scope
    return Scope.ADMIN


class Keys(Protocol):
    """Where keys are looked up; see `KeyStore`."""

    def find(self, secret: str) -> ApiKey | None:
        """Return the key of a secret, valid or not, or None."""

    def all(self) -> Sequence[ApiKey]:
        """Return every key, valid or not."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request."""

    id: str
    """What rate limits count by."""
    key_name: str | None
    """None where no key is asked."""
    scopes: frozenset[Scope]


class KeyRing:
    """Tells callers by their keys: those of the settings, and those of the database.

    No key is asked where neither holds one. Keys of the settings have every scope.

    Args:
        setting_keys: As in `MERL_API_KEYS`: keys, or `sha256:` and the digest of one.
    """

    def __init__(self, setting_keys: Sequence[SecretStr]) -> None:
        self._digests = tuple(_digest(key.get_secret_value()) for key in setting_keys)
        self._keys: Keys | None = None
        self._found: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()
        self._has_keys: tuple[float, bool] = (-math.inf, False)

    def attach(self, keys: Keys) -> None:
        """Look keys up in the database from now on."""
        self._keys = keys

    async def identify(self, secret: str, address: str) -> Caller:
        """Return who presents this secret; an empty one is none.

        Raises:
            RequestError: `unauthorized`; `not_ready` while the database is not open yet.
        """
        if secret and self._is_of_settings(secret):
            return Caller("settings", "MERL_API_KEYS", frozenset(Scope))
        if self._keys is None:
            msg = "the service is starting: API keys cannot be looked up yet"
            raise RequestError(msg, code="not_ready", retry_after_s=3)
        if not self._digests and not await self._database_has_keys(self._keys):
            return Caller(address, None, frozenset(Scope))
        key = await self._find(self._keys, secret) if secret else None
        if key is None or not key.is_valid:
            msg = "send a valid key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            raise RequestError(msg, code="unauthorized")
        scopes = frozenset(scope for own in key.scopes for scope in own.includes)
        return Caller(key.id, key.name, scopes)

    def _is_of_settings(self, secret: str) -> bool:
        """Whether a secret is one of the settings' keys; takes equal time for any."""
        found = hashlib.sha256(secret.encode()).digest()
        matches = [hmac.compare_digest(found, digest) for digest in self._digests]
        return any(matches)

    async def _database_has_keys(self, keys: Keys) -> bool:
        """Whether a key was ever made; one that was revoked keeps the door shut."""
        until, has_keys = self._has_keys
        if time.monotonic() > until:
            has_keys = bool(await _in_thread(keys.all))
            self._has_keys = (time.monotonic() + _REMEMBERED_S, has_keys)
        return has_keys

    async def _find(self, keys: Keys, secret: str) -> ApiKey | None:
        digest = digest_of(secret)
        until, key = self._found.get(digest, (-math.inf, None))
        if time.monotonic() > until:
            key = await _in_thread(lambda: keys.find(secret))
            self._found[digest] = (time.monotonic() + _REMEMBERED_S, key)
            while len(self._found) > _MAX_REMEMBERED:
                self._found.popitem(last=False)
        return key


class RateLimit:
    """At most so many requests of one caller in any minute.

    Args:
        per_minute: How many; 0 does not limit.
    """

    def __init__(self, per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def check(self, caller_id: str) -> None:
        """Count a request.

        Raises:
            RequestError: `rate_limited`, with the seconds to wait.
        """
        if self._item is None or self._limiter.hit(self._item, caller_id):
            return
        reset = self._limiter.get_window_stats(self._item, caller_id).reset_time
        wait_s = max(1, math.ceil(reset - time.time()))
        msg = f"more than {self._item.amount} requests in a minute (MERL_RATE_LIMIT_PER_MINUTE)"
        raise RequestError(msg, code="rate_limited", retry_after_s=wait_s)


def _digest(key: str) -> bytes:
    is_digest = key.startswith("sha256:")
    if is_digest:
        return bytes.fromhex(key.removeprefix("sha256:"))
    return hashlib.sha256(key.encode()).digest()


async def _in_thread(call: Callable[[], _T]) -> _T:
    try:
        return await anyio.to_thread.run_sync(call)
    except OperationalError:
        msg = "API keys cannot be looked up: the database does not answer"
        raise RequestError(msg, code="database_unavailable", retry_after_s=5) from None
