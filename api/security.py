"""Who may call, how much they may send, and what browsers are told."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import KeyRing, RateLimit, needed_scope
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


def presented_key(headers: Headers) -> str:
    """Return the API key of a request: `Authorization: Bearer ...` or `X-API-Key`."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return headers.get("x-api-key", "").strip()


class Guard:
    """Tells who calls, limits what they may do and send, and adds security headers.

    Args:
        app: What it guards.
        keys: Tells callers by their keys.
        rate_limit: Requests a minute.
        max_bytes: Largest body of a request.
    """

    def __init__(
        self, app: ASGIApp, *, keys: KeyRing, rate_limit: RateLimit, max_bytes: int
    ) -> None:
        self._app = app
        self._keys = keys
        self._rate_limit = rate_limit
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
            await self._check(scope)
        except RequestError as error:
            response = problem_response(error, request_id=request_id_of(scope))
            await response(scope, receive, send_with_headers)
            return
        await self._app(scope, self._counted(receive), send_with_headers)

    async def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        is_cross_site = headers.get("sec-fetch-site") == "cross-site"
        if is_cross_site and scope["method"] not in _SAFE_METHODS:
            msg = "the request was sent by a page of another site"
            raise RequestError(msg, code="cross_site")
        if not is_public(scope["path"]):
            await self._check_caller(scope, headers)
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise self._too_large()

    async def _check_caller(self, scope: Scope, headers: Headers) -> None:
        address = scope["client"][0] if scope.get("client") else "unknown"
        try:
            caller = await self._keys.identify(presented_key(headers), address)
        except RequestError:
            self._rate_limit.check(address)  # guessing keys is limited too
            raise
        self._rate_limit.check(caller.id)
        needed = needed_scope(scope["method"], scope["path"])
        if needed not in caller.scopes:
            msg = f"the key {caller.key_name!r} lacks the scope {needed.value!r}"
            raise RequestError(msg, code="missing_scope")
        scope.setdefault("state", {})["key_name"] = caller.key_name

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


def is_public(path: str) -> bool:
    """Whether a path is open to all: the page, the documentation, health and readiness."""
    return path in _PUBLIC_PATHS or path.startswith(_PUBLIC_PREFIXES)
