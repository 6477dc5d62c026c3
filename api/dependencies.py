"""What routes share: the application's state, the loaded service, documented problems, paging."""

from typing import Annotated, Final

from fastapi import Depends, Query, Request

from api.description import problems
from api.errors import RequestError
from api.service import Service
from api.state import AppState

ALWAYS: Final = problems(400, 401, 403, 413, 422, 429, 503)
"""What any route may answer."""


def app_state(request: Request) -> AppState:
    """Return the application's state."""
    state: AppState = request.app.state.merl
    return state


State = Annotated[AppState, Depends(app_state)]


def only_known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have: they would be without effect.

    Raises:
        RequestError: `invalid_request`.
    """
    if not request.query_params:
        return
    path: str = request.scope["route"].path
    operation = request.app.openapi()["paths"][path][request.method.lower()]
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        there_are = f"there are {', '.join(known)}" if known else "there are none"
        msg = f"no query parameter of {path} is called {unknown[0][:80]!r}; {there_are}"
        raise RequestError(msg, code="invalid_request")


KNOWN_ONLY: Final = (Depends(only_known_parameters),)
"""What the routers of the interface demand of every request."""


def ready_service(state: State) -> Service:
    """Return the service once it is loaded.

    Raises:
        RequestError: `not_ready`.
    """
    if state.service is None:
        raise RequestError(state.reason, code="not_ready", retry_after_s=3)
    return state.service


Ready = Annotated[Service, Depends(ready_service)]

Limit = Annotated[int, Query(ge=1, le=200, description="At most so many items")]
Offset = Annotated[int, Query(ge=0, le=2**31, description="Items to skip; see `next_offset`")]
