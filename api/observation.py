"""Request ids, one log line a request, and its metrics; nothing in them comes from the client."""

import asyncio
import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import RequestError
from api.metrics import Metrics
from api.problems import log_fault, problem_response

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_FIELDS: Final = ("request_id", "method", "route", "status", "ms")

_log = logging.getLogger("merl.api")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: getattr(record, name) for name in _FIELDS if hasattr(record, name)})
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str) -> None:
    """Send the program's own log to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    for name in ("merl", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
    logging.getLogger("uvicorn.access").disabled = True


class Observer:
    """Gives each request an id, counts and times it, and logs its route, status and time.

    Args:
        app: What it observes.
        metrics: Where it counts.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = Headers(scope=scope).get("x-request-id", "")
        request_id = offered if _REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500
        has_started = False

        async def observed(message: Message) -> None:
            nonlocal status, has_started
            if message["type"] == "http.response.start":
                has_started = True
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                code = headers.get("x-problem-code")
                if code is not None:
                    self._metrics.problems.labels(code).inc()
                    del headers["x-problem-code"]
            await send(message)

        start = time.perf_counter()
        try:
            await self._app(scope, receive, observed)
        except asyncio.CancelledError:
            # The process ends, and this took longer than it was given: the caller may ask again.
            if not has_started:
                stopping = RequestError("the service is stopping", code="not_ready")
                await problem_response(stopping, request_id=request_id)(scope, receive, observed)
            raise
        except Exception as error:
            log_fault(error, request_id)
            if not has_started:
                await problem_response(error, request_id=request_id)(scope, receive, observed)
        finally:
            self._record(scope, request_id, status, time.perf_counter() - start)

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if len(scope["method"]) < 8 else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        _log.log(
            logging.DEBUG if route in ("/health", "/ready", "/metrics") else logging.INFO,
            "request",
            extra={
                "request_id": request_id,
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
            },
        )
