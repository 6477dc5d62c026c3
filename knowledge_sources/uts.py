"""The UTS REST API: UMLS over the network, with the user's own key.

Source: NLM UTS documentation, https://documentation.uts.nlm.nih.gov/rest/home.html.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from knowledge_sources.concept import Alias, Concept
from knowledge_sources.errors import KnowledgeError

BASE_URL: Final = "https://uts-ws.nlm.nih.gov/rest"
_KEY_IN_URL: Final = re.compile(r"(apiKey=)[^&\s\"']+")
_LOGGERS: Final = ("httpx", "httpcore", "httpcore.http11", "httpcore.http2", "httpcore.connection")
_NOTHING: Final = "NONE"


class _BusyError(Exception):
    """The server asks to come back later."""


class _RedactKey(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "apiKey=" in text:
            record.msg, record.args = _KEY_IN_URL.sub(r"\1[redacted]", text), ()
        return True


_REDACT: Final = _RedactKey()


class UtsClient:
    """A client of the UTS REST API; use it as a context manager.

    The key is sent with every request and never logged or shown in an error.

    Args:
        api_key: The user's key.
        base_url: The server.
        release: `current`, or a release such as `2025AB`.
        timeout_s: Limit of one request.
        transport: In tests, a scripted one.
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = BASE_URL,
        release: str = "current",
        timeout_s: float = 20.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not api_key:
            msg = "the UTS REST API needs a key (MERL_UTS_API_KEY)"
            raise KnowledgeError(msg)
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            if _REDACT not in logger.filters:
                logger.addFilter(_REDACT)
        self._key = api_key
        self._release = release
        self._client = httpx.Client(base_url=base_url, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._client.close()

    def search(self, query: str, top_k: int = 25) -> list[tuple[str, str]]:
        """Return (CUI, name) of the concepts that UTS finds, its best first.

        Raises:
            KnowledgeError: The key is refused, or the server cannot be reached.
        """
        found: list[tuple[str, str]] = []
        path = f"/search/{self._release}"
        for item in self._pages(path, {"string": query}, in_results=True):
            found.append((item["ui"], item["name"]))
            if len(found) == top_k:
                break
        return found

    def concept(self, cui: str) -> Concept | None:
        """Return a concept with its English names and definition; None if there is none.

        Raises:
            KnowledgeError: The key is refused, or the server cannot be reached.
        """
        path = f"/content/{self._release}/CUI/{cui}"
        body = self._get(path, {})
        if body is None:
            return None
        atoms = self._pages(f"{path}/atoms", {"language": "ENG"})
        names = dict.fromkeys(a["name"] for a in atoms if a.get("suppressible") != "true")
        definition = next(iter(self._pages(f"{path}/definitions", {})), None)
        return Concept(
            concept_id=f"UMLS:{cui}",
            canonical_name=body["result"]["name"],
            source="umls",
            definition=definition["value"] if definition else None,
            aliases=tuple(Alias(name) for name in names),
        )

    def _pages(
        self, path: str, params: Mapping[str, str], *, in_results: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages; an empty page, `NONE` and 404 all mean the end."""
        page = 1
        while True:
            body = self._get(path, {**params, "pageNumber": str(page)})
            result: Any = body["result"] if body else []
            items = result["results"] if in_results and body else result
            if not items or items[0].get("ui") == _NOTHING:
                return
            yield from items
            if body and not in_results and page >= int(body.get("pageCount", 1)):
                return
            page += 1

    def _get(self, path: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        try:
            return self._request(path, params)
        except (_BusyError, httpx.TransportError) as error:
            kind = type(error).__name__.strip("_")
            msg = f"the UTS server does not answer {path!r} ({kind})"
            raise KnowledgeError(msg) from None

    @retry(
        retry=retry_if_exception_type((_BusyError, httpx.TransportError)),
        stop=stop_after_attempt(4),
        wait=wait_exponential_jitter(multiplier=0.2, max=5.0),
        reraise=True,
    )
    def _request(self, path: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        response = self._client.get(path, params={**params, "apiKey": self._key})
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.status_code in (401, 403):
            msg = "the UTS server refused the key (MERL_UTS_API_KEY)"
            raise KnowledgeError(msg)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            raise _BusyError
        try:
            body: dict[str, Any] = response.raise_for_status().json()
        except (httpx.HTTPStatusError, ValueError):
            msg = f"the UTS server answered {path!r} with HTTP {response.status_code}"
            raise KnowledgeError(msg) from None
        return body
