"""The OpenAPI description: what FastAPI derives, with summaries, scopes and examples of errors."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.access import needed_scope
from api.errors import PROBLEMS, RequestError
from api.examples import BATCH, CLASSIFICATION, HIT, VERDICTS
from api.problems import problem_body
from api.security import is_public

_EXAMPLES: Final = {
    "ClassifyAnswer": CLASSIFICATION,
    "BatchAnswer": BATCH,
    "VerifyAnswer": VERDICTS,
    "HitBody": HIT,
}
_PROBLEM: Final = {"$ref": "#/components/schemas/ProblemBody"}
_RETRY_AFTER: Final = {
    "description": "When to try again, in seconds",
    "schema": {"type": "integer", "minimum": 1},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of error statuses: a problem, with an example of each code."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    titles = {code: p.title for code, p in PROBLEMS.items() if p.status == status}
    examples = {code: {"summary": title, "value": _example(code)} for code, title in titles.items()}
    body = {"schema": _PROBLEM, "examples": examples}
    answer: dict[str, Any] = {
        "description": "; ".join(titles.values()),
        "content": {"application/problem+json": body},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": _RETRY_AFTER}
    return answer


def _example(code: str) -> dict[str, Any]:
    error = RequestError("What was found, and what was expected", code=code)
    return problem_body(error, request_id="0f6f9ad1c2b84f6b").model_dump(exclude_none=True)


def operation_id(route: APIRoute) -> str:
    """Return the name of a route's function: what generated clients call the operation."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of the API, made once."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        schema["components"]["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
        for name, example in _EXAMPLES.items():
            # Here, because FastAPI drops what is null from the examples of a model.
            schema["components"]["schemas"][name]["examples"] = [example]
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                _summarise(operation)
                if not is_public(path):
                    # Optional: where no key was ever made, none is asked.
                    operation["security"] = [{}, {"key": []}, {"bearer": []}]
                    operation["x-scope"] = needed_scope(method.upper(), path).value
        app.openapi_schema = schema
    return app.openapi_schema


def _summarise(operation: dict[str, Any]) -> None:
    """Let the first line of a docstring be the summary, and the rest the description."""
    first, _, rest = operation.pop("description").partition("\n")
    operation["summary"] = first.removesuffix(".")
    if rest.strip():
        operation["description"] = rest.strip()
