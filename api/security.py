"""Who may call, how much they may send, and what browsers are told."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import RequestError
from api.problems import problem_response, request_id_of

_PUBLIC_PATHS: Final = frozenset({"/", "/health", "/ready", "/docs", "/openapi.json"})
_PUBLIC_PREFIXES: Final = ("/static/", "/docs/")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Drawn ECGs carry `style` attributes, which is why styles may be inline; scripts may not."""

_HEADERS: Final = {
    "Content-Security-Policy": _PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def key_digests(keys: Sequence[SecretStr]) -> tuple[bytes, ...]:
    """Return the sha256 of each key; keys given as `sha256:...` are digests already."""
    digests = []
    for key in keys:
        text = key.get_secret_value()
        is_digest = text.startswith("sha256:")
        digests.append(
            bytes.fromhex(text.removeprefix("sha256:"))
            if is_digest
            else hashlib.sha256(text.encode()).digest()
        )
    return tuple(digests)


def is_known_key(key: str, digests: Sequence[bytes]) -> bool:
    """Whether a key is one of those that `digests` stand for; takes equal time for any key."""
    found = hashlib.sha256(key.encode()).digest()
    matches = [hmac.compare_digest(found, digest) for digest in digests]
    return any(matches)


def presented_key(headers: Headers) -> str:
    """Return the API key of a request: `Authorization: Bearer ...` or `X-API-Key`."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return headers.get("x-api-key", "").strip()


class Guard:
    """Asks for a key, refuses other sites and large bodies, and adds security headers.

    Args:
        app: What it guards.
        digests: Of the API keys; none means that no key is asked.
        max_bytes: Largest body of a request.
    """

    def __init__(self, app: ASGIApp, *, digests: Sequence[bytes], max_bytes: int) -> None:
        self._app = app
        self._digests = tuple(digests)
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
        except RequestError as error:
            response = problem_response(error, request_id=request_id_of(scope))
            await response(scope, receive, send_with_headers)
            return
        await self._app(scope, self._counted(receive), send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        is_cross_site = headers.get("sec-fetch-site") == "cross-site"
        if is_cross_site and scope["method"] not in _SAFE_METHODS:
            msg = "the request was sent by a page of another site"
            raise RequestError(msg, code="cross_site")
        if (
            self._digests
            and not _is_public(scope)
            and not is_known_key(presented_key(headers), self._digests)
        ):
            msg = "send a known key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            raise RequestError(msg, code="unauthorized")
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise self._too_large()

    def _too_large(self) -> RequestError:
        msg = f"the request is larger than {self._max_bytes / 1024 / 1024:g} MB"
        return RequestError(msg, code="too_large")

    def _counted(self, receive: Receive) -> Receive:
        n_bytes = 0

        async def counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self._max_bytes:
                raise HTTPException(413, str(self._too_large()))
            return message

        return counted


def _is_public(scope: Scope) -> bool:
    path: str = scope["path"]
    return path in _PUBLIC_PATHS or path.startswith(_PUBLIC_PREFIXES)
