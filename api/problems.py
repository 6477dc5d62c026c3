"""Errors as HTTP answers: `application/problem+json` (RFC 9457), never a stack trace."""

import json
import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from api.errors import (
    CODE_OF_STATUS,
    KNOWN_ERRORS,
    OUTAGES,
    PROBLEMS,
    RequestError,
    detail_of,
    problem_of,
)
from api.schemas import ProblemBody

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_AFTER_S: Final = {429: 2, 503: 5}

_log = logging.getLogger("merl.api")


def request_id_of(scope: Scope) -> str | None:
    """Return the id that the request was given, if it was given one yet."""
    found: str | None = scope.get("state", {}).get("request_id")
    return found


def problem_body(error: Exception, *, request_id: str | None = None) -> ProblemBody:
    """Return what a client is told of an error; of faults of ours, nothing but the id."""
    code, problem = problem_of(error)
    return ProblemBody(
        type=f"urn:merl-ckepe:problem:{code}",
        title=problem.title,
        status=problem.status,
        detail=detail_of(error),
        code=code,
        request_id=request_id,
    )


def problem_response(
    error: Exception,
    *,
    request_id: str | None = None,
    errors: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer that tells a client of an error."""
    body = problem_body(error, request_id=request_id)
    if errors is not None:
        body = body.model_copy(update={"errors": list(errors)})
    content = body.model_dump(exclude_none=True)
    extra = dict(headers or {})
    retry_after_s = getattr(error, "retry_after_s", None) or _RETRY_AFTER_S.get(body.status)
    if retry_after_s is not None:
        extra.setdefault("Retry-After", str(retry_after_s))
    if body.status == 401:
        extra.setdefault("WWW-Authenticate", "Bearer")
    extra["X-Problem-Code"] = body.code
    return Response(
        json.dumps(content), status_code=body.status, headers=extra, media_type=MEDIA_TYPE
    )


def log_fault(error: Exception, request_id: str | None) -> None:
    """Log where an unexpected error arose, without its message: that may quote a file."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-6:]))
    _log.error("unexpected %s at %s", type(error).__name__, where, extra={"request_id": request_id})


def add_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem."""

    async def on_known(request: Request, error: Exception) -> Response:
        return problem_response(error, request_id=request_id_of(request.scope))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = CODE_OF_STATUS.get(error.status_code, "internal_error")
        detail = error.detail if error.detail else PROBLEMS[code].title
        return problem_response(
            RequestError(detail, code=code),
            request_id=request_id_of(request.scope),
            headers=error.headers,
        )

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = error.errors()
        is_broken = any(item["type"] == "json_invalid" for item in found)
        places = [
            {"loc": [str(part) for part in item["loc"]], "msg": item["msg"], "type": item["type"]}
            for item in found
        ]
        first = places[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or first["loc"][0]
        code = "malformed_request" if is_broken else "invalid_request"
        return problem_response(
            RequestError(f"{where}: {first['msg']}", code=code),
            request_id=request_id_of(request.scope),
            errors=places,
        )

    async def on_outage(request: Request, error: Exception) -> Response:
        request_id = request_id_of(request.scope)
        log_fault(error, request_id)
        return problem_response(error, request_id=request_id)

    for outage in OUTAGES:
        app.add_exception_handler(outage, on_outage)
    for kind in KNOWN_ERRORS:
        app.add_exception_handler(kind, on_known)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
