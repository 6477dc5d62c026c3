"""Long work as a stream of events: server-sent events, or one JSON object a line."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi.responses import StreamingResponse

from api.errors import KNOWN_ERRORS
from api.lanes import Lane
from api.problems import problem_body

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
SSE: Final = "text/event-stream"

_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No cache or proxy may hold lines back."""

_T = TypeVar("_T")
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of long work."""

    name: str
    data: str
    """JSON on one line."""

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any]) -> "Event":
        """Return an event of plain data."""
        return cls(name, json.dumps(data, ensure_ascii=False))

    def as_sse(self) -> str:
        """Return it as a server-sent event."""
        return f"event: {self.name}\ndata: {self.data}\n\n"


class _ClientGoneError(Exception):
    """Stops work that nobody waits for any more."""


async def with_progress(
    lane: Lane,
    call: Callable[[OnProgress], _T],
    to_event: Callable[[_T], Event],
    request_id: str | None,
) -> AsyncIterator[Event]:
    """Run a call in a lane; yield its progress, and its result or problem as the last event.

    What fails before there was any progress is raised, so that it becomes the answer's status. If
    the stream is closed, the call is stopped at its next step.
    """
    loop = asyncio.get_running_loop()
    steps: asyncio.Queue[Event | None] = asyncio.Queue()
    is_gone = False

    def on_progress(done: int, total: int) -> None:
        if is_gone:
            raise _ClientGoneError
        event = Event.of("progress", {"done": done, "total": total})
        loop.call_soon_threadsafe(steps.put_nowait, event)

    async def work() -> _T:
        try:
            return await lane.run(lambda: call(on_progress))
        finally:
            loop.call_soon(steps.put_nowait, None)

    task = asyncio.create_task(work())
    n_steps = 0
    try:
        while (step := await steps.get()) is not None:
            n_steps += 1
            yield step
        try:
            last = to_event(await task)
        except KNOWN_ERRORS as error:
            if n_steps == 0:
                raise
            body = problem_body(error, request_id=request_id)
            last = Event("problem", body.model_dump_json(exclude_none=True))
        yield last
    finally:
        is_gone = True
        task.add_done_callback(_forget)


def _forget(task: "asyncio.Task[Any]") -> None:
    """Take note of a task's error, which was told to the client or is that of a client gone."""
    if not task.cancelled():
        task.exception()


async def as_response(
    events: AsyncIterator[Event], media_type: str, to_line: Callable[[Event], str | None]
) -> StreamingResponse:
    """Return a response that sends events as they come; what fails before the first is raised.

    Args:
        events: What happens.
        media_type: `SSE` or `NDJSON`.
        to_line: One line of NDJSON for an event; None leaves it out.
    """
    first = await anext(events, None)

    async def chunks() -> AsyncIterator[str]:
        if first is None:
            return
        yield render(first)
        async for event in events:
            yield render(event)

    def render(event: Event) -> str:
        if media_type == SSE:
            return event.as_sse()
        line = to_line(event)
        return "" if line is None else f"{line}\n"

    return StreamingResponse(chunks(), media_type=media_type, headers=_HEADERS)
