"""Errors of the service, and the one table that turns any error into an HTTP status.

ApiError
├── ConfigurationError   a setting is wrong; the service does not start
└── RequestError         a request cannot be answered; `code` says in which way
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import OperationalError

from ckepe.errors import CkepeError, IndexUnavailableError, LLMError, UngroundedError
from knowledge_sources.errors import KnowledgeError
from merl_core.errors import CheckpointError, InvalidRecordError, MerlError


class ApiError(Exception):
    """The service cannot start, or cannot answer."""


class ConfigurationError(ApiError):
    """A setting is wrong; the message names it in one line."""


class RequestError(ApiError):
    """A request cannot be answered.

    Args:
        message: What was found and what was expected; shown to the client.
        code: A key of `PROBLEMS`.
        retry_after_s: When the client may try again.
    """

    def __init__(self, message: str, *, code: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of error as clients see it (RFC 9457)."""

    status: int
    title: str


PROBLEMS: Final = MappingProxyType(
    {
        "malformed_request": Problem(400, "The request's body cannot be parsed"),
        "unauthorized": Problem(401, "An API key is missing or not known"),
        "cross_site": Problem(403, "Another web site may not call this service"),
        "missing_scope": Problem(403, "The API key does not allow this"),
        "not_found": Problem(404, "There is nothing of this name"),
        "method_not_allowed": Problem(405, "This route has no such method"),
        "not_acceptable": Problem(406, "None of the accepted media types is on offer"),
        "review_closed": Problem(409, "The review is published already"),
        "review_incomplete": Problem(409, "Phrases of the review are still to be decided on"),
        "review_busy": Problem(409, "The review was changed at the same time"),
        "too_large": Problem(413, "The upload is larger than this service accepts"),
        "unknown_format": Problem(415, "The file is of no known ECG format"),
        "invalid_request": Problem(422, "A parameter is missing or not valid"),
        "no_classes": Problem(422, "No class to score was named"),
        "invalid_prompt_set": Problem(422, "The prompt set cannot be used"),
        "unknown_label": Problem(422, "A label or label set is not known"),
        "unknown_prompt_set": Problem(422, "No prompt set is stored under this id"),
        "not_published": Problem(422, "A published prompt set is demanded, and this is none"),
        "invalid_decision": Problem(422, "The review has no such label or phrase"),
        "phrase_refused": Problem(422, "Verification refuses the phrase"),
        "invalid_record": Problem(422, "The ECG cannot be used"),
        "too_many_requests": Problem(429, "Too much work is waiting"),
        "rate_limited": Problem(429, "Too many requests in a minute"),
        "internal_error": Problem(500, "The service failed"),
        "llm_unavailable": Problem(502, "The language model gave no usable answer"),
        "not_ready": Problem(503, "The service is not ready"),
        "database_unavailable": Problem(503, "The database does not answer"),
        "index_unavailable": Problem(503, "The concept index does not answer"),
    }
)
"""Stable code to status and title. Codes of `InvalidRecordError` that are not here share the
status and title of `invalid_record`."""

_CODE_OF: Final[tuple[tuple[type[Exception], str], ...]] = (
    (InvalidRecordError, "invalid_record"),
    (LLMError, "llm_unavailable"),
    (IndexUnavailableError, "index_unavailable"),
    (UngroundedError, "unknown_label"),
    (CheckpointError, "not_ready"),
    (CkepeError, "invalid_prompt_set"),
    (KnowledgeError, "unknown_label"),
    (MerlError, "not_ready"),
    (ConfigurationError, "not_ready"),
    (OperationalError, "database_unavailable"),
)

KNOWN_ERRORS: Final = (ApiError, CkepeError, KnowledgeError, MerlError)
"""What the packages raise on purpose."""

OUTAGES: Final = (IndexUnavailableError, OperationalError)
"""What a database or an index that went away raises; anything else is a fault of ours."""

_SAID_OF_OUTAGES: Final = MappingProxyType(
    {
        "database_unavailable": "The database of prompt sets, reviews and keys does not answer.",
        "index_unavailable": "The concept index (MERL_CHROMA_URL) does not answer.",
    }
)


def detail_of(error: Exception) -> str:
    """Return what a client is told of an error: of outages and faults, nothing from inside."""
    code, _ = problem_of(error)
    if code == "internal_error":
        return "An unexpected error; the log has it under the request id."
    return _SAID_OF_OUTAGES.get(code, str(error))


def problem_of(error: Exception) -> tuple[str, Problem]:
    """Return the stable code of an error, and its status and title."""
    if isinstance(error, RequestError):
        return error.code, PROBLEMS[error.code]
    if isinstance(error, InvalidRecordError):
        return error.code, PROBLEMS.get(error.code, PROBLEMS["invalid_record"])
    for kind, code in _CODE_OF:
        if isinstance(error, kind):
            return code, PROBLEMS[code]
    return "internal_error", PROBLEMS["internal_error"]


CODE_OF_STATUS: Final = MappingProxyType(
    {
        400: "malformed_request",
        401: "unauthorized",
        403: "cross_site",
        404: "not_found",
        405: "method_not_allowed",
        413: "too_large",
        415: "unknown_format",
        422: "invalid_request",
        429: "too_many_requests",
        503: "not_ready",
    }
)
"""The code that stands for a status which the web framework itself decided on."""
