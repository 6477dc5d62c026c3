"""Routes of prompts and stored prompt sets."""

import functools
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import ALWAYS, KNOWN_ONLY, Limit, Offset, Ready, State
from api.description import problems
from api.negotiation import has_already, preferred
from api.problems import request_id_of
from api.review_schemas import DiffBody
from api.schemas import (
    GenerateRequest,
    PromptSetPage,
    PromptSetSummary,
    VerifyAnswer,
    VerifyRequest,
)
from api.streaming import JSON, NDJSON, SSE, Event, OnProgress, as_response, with_progress
from ckepe.prompt_set import PromptSet

router = APIRouter(dependencies=KNOWN_ONLY, responses=ALWAYS, tags=["prompts"])

_STREAMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The prompt set; as a stream, progress and then the set",
        "content": {
            NDJSON: {
                "schema": {"type": "string"},
                "example": '{"event": "progress", "done": 1, "total": 2}\n'
                '{"event": "result", "prompt_set": {"id": "..."}}\n',
            },
            SSE: {
                "schema": {"type": "string"},
                "example": 'event: progress\ndata: {"done": 1, "total": 2}\n\n'
                'event: result\ndata: {"id": "..."}\n\n',
            },
        },
    }
}


@router.post(
    "/prompts/generate",
    response_model=PromptSet,
    responses={**_STREAMS, **problems(406, 502)},
)
async def generate_prompts(
    body: GenerateRequest, request: Request, state: State, service: Ready
) -> Any:
    """Engineer a verified prompt for each label, store the set and return it.

    With `Accept: text/event-stream` or `application/x-ndjson` it tells of its progress: events
    `progress` (labels done and in all), and last `result` or `problem`.
    """
    media_type = preferred(request.headers.get("accept", ""), (JSON, SSE, NDJSON))

    def call(on_progress: OnProgress | None = None) -> PromptSet:
        prompt_set = service.generate_prompts(
            body.labels,
            label_set=body.label_set,
            llm=body.llm,
            max_subtypes=body.max_subtypes,
            max_attributes=body.max_attributes,
            on_progress=on_progress,
        )
        mode = "llm" if prompt_set.generator.llm else "knowledge"
        state.metrics.prompt_sets.labels(mode).inc()
        return prompt_set

    if media_type == JSON:
        return _json(await state.prompt_lane.run(call))
    events = with_progress(state.prompt_lane, call, _result, request_id_of(request.scope))
    return await as_response(events, media_type, _generation_line)


def _json(prompt_set: PromptSet, **headers: str) -> Response:
    content = prompt_set.model_dump_json(by_alias=True)
    return Response(content, media_type=JSON, headers=headers)


def _result(prompt_set: PromptSet) -> Event:
    return Event("result", prompt_set.model_dump_json(by_alias=True))


def _generation_line(event: Event) -> str:
    if event.name == "progress":
        return f'{{"event": "progress", {event.data[1:]}'
    field = "prompt_set" if event.name == "result" else "problem"
    return f'{{"event": "{event.name}", "{field}": {event.data}}}'


@router.post("/prompts/verify")
async def verify(body: VerifyRequest, state: State, service: Ready) -> VerifyAnswer:
    """Say for each phrase whether it may stand in the prompt of a label, and why."""
    call = functools.partial(service.verify, body.label, body.phrases, body.label_set)
    return VerifyAnswer(label=body.label, verdicts=await state.prompt_lane.run(call))


@router.get("/prompt-sets")
async def prompt_sets(
    state: State,
    service: Ready,
    limit: Limit = 50,
    offset: Offset = 0,
) -> PromptSetPage:
    """List stored prompt sets, the newest first."""
    store = service.store
    call = functools.partial(store.page, limit=limit, offset=offset)
    rows = await state.lookup_lane.run(call)
    total = await state.lookup_lane.run(store.count)
    items = [PromptSetSummary.model_validate(row, from_attributes=True) for row in rows]
    following = offset + len(items)
    return PromptSetPage(
        items=items, total=total, next_offset=following if following < total and items else None
    )


@router.get(
    "/prompt-sets/{prompt_set_id}",
    response_model=PromptSet,
    responses={**problems(404), 304: {"description": "The client has it already"}},
)
async def prompt_set(prompt_set_id: str, request: Request, state: State, service: Ready) -> Any:
    """Return a stored prompt set with all its evidence; it never changes."""
    found = await state.lookup_lane.run(functools.partial(service.prompt_set, prompt_set_id))
    headers = {
        "ETag": f'"{found.id}"',
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    if has_already(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return _json(found, **headers)


@router.get("/prompt-sets/{prompt_set_id}/diff", responses=problems(404))
async def prompt_set_diff(
    prompt_set_id: str,
    to: Annotated[str, Query(max_length=100, description="Id of the prompt set to compare with")],
    state: State,
    service: Ready,
) -> DiffBody:
    """Return what the prompt set `to` adds, drops or words otherwise, label by label."""
    return await state.lookup_lane.run(functools.partial(service.diff, prompt_set_id, to))
