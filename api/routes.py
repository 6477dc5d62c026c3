"""HTTP routes: they parse, hand over to `Service` in a thread, and shape the answer."""

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import IntEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse

from api import __version__
from api.dependencies import Limit, Offset, Ready, State, problems, ready_service
from api.errors import KNOWN_ERRORS
from api.metrics import CONTENT_TYPE
from api.problems import problem_body, request_id_of
from api.review_schemas import DiffBody
from api.schemas import (
    BatchAnswer,
    BatchItem,
    ClassifyAnswer,
    GenerateRequest,
    HealthBody,
    HitBody,
    LabelSetBody,
    LabelSetSummary,
    ModelInfo,
    PromptSetPage,
    PromptSetSummary,
    ReadyBody,
    VerifyAnswer,
    VerifyRequest,
)
from api.service import Classes, Service, neutral_names, split_labels
from api.state import AppState
from api.uploads import group_records, read_uploads
from ckepe.prompt_set import PromptSet
from merl_core.plot import Layout, Theme

NDJSON: Final = "application/x-ndjson"
SVG: Final = "image/svg+xml"


_ALWAYS: Final = problems(400, 401, 403, 413, 422, 429, 503)
_UPLOAD: Final = problems(415)

router = APIRouter(responses=_ALWAYS)
open_router = APIRouter()

Files = Annotated[
    list[UploadFile], File(description="One ECG; the parts of a WFDB record or one zip are one ECG")
]
Labels = Annotated[list[str], Form(description="Classes in words, repeated or separated by ';'")]
LabelSetName = Annotated[str | None, Form(description="Name of a label set")]
PromptSetText = Annotated[
    str | None,
    Form(
        description="A prompt set: the id of a stored one, `name` or `name@version` of a "
        "published one, or its JSON"
    ),
]
MustBePublished = Annotated[
    bool, Form(description="Refuse (422, `not_published`) all but a published prompt set")
]


def form_classes(
    labels: Labels = [],  # noqa: B006 - read only
    label_set: LabelSetName = None,
    prompt_set: PromptSetText = None,
    published: MustBePublished = False,
) -> Classes:
    """Return the classes that a form asks for."""
    return Classes(split_labels(labels), label_set or None, prompt_set or None, published)


FormClasses = Annotated[Classes, Depends(form_classes)]

# --- the process


@open_router.get("/health", tags=["operations"])
async def health() -> HealthBody:
    """Say that the process answers, at once, loaded or not."""
    return HealthBody(version=__version__)


@open_router.get("/ready", tags=["operations"], responses=problems(503))
async def ready(state: State) -> ReadyBody:
    """Say that index and model are loaded; 503 before."""
    service = ready_service(state)
    return ReadyBody(
        model=service.parts.engine.model_id,
        llm=service.parts.llm,
        n_concepts=len(service.parts.knowledge.concepts),
    )


@router.get("/metrics", tags=["operations"], response_class=Response)
async def metrics(state: State) -> Response:
    """Return counters and histograms in Prometheus's text format."""
    return Response(state.metrics.render(), media_type=CONTENT_TYPE)


# --- prompts


@router.post("/prompts/generate", tags=["prompts"], responses=problems(502))
async def generate_prompts(body: GenerateRequest, state: State, service: Ready) -> PromptSet:
    """Engineer a verified prompt for each label, store the set and return it."""
    call = functools.partial(
        service.generate_prompts,
        body.labels,
        label_set=body.label_set,
        llm=body.llm,
        max_subtypes=body.max_subtypes,
        max_attributes=body.max_attributes,
    )
    prompt_set = await state.prompt_lane.run(call)
    state.metrics.prompt_sets.labels("llm" if prompt_set.generator.llm else "knowledge").inc()
    return prompt_set


@router.post("/prompts/verify", tags=["prompts"])
async def verify(body: VerifyRequest, state: State, service: Ready) -> VerifyAnswer:
    """Say for each phrase whether it may stand in the prompt of a label, and why."""
    call = functools.partial(service.verify, body.label, body.phrases, body.label_set)
    return VerifyAnswer(label=body.label, verdicts=await state.prompt_lane.run(call))


@router.get("/prompt-sets", tags=["prompts"])
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


@router.get("/prompt-sets/{prompt_set_id}", tags=["prompts"], responses=problems(404))
async def prompt_set(prompt_set_id: str, state: State, service: Ready) -> PromptSet:
    """Return a stored prompt set with all its evidence."""
    return await state.lookup_lane.run(functools.partial(service.prompt_set, prompt_set_id))


@router.get("/prompt-sets/{prompt_set_id}/diff", tags=["prompts"], responses=problems(404))
async def prompt_set_diff(
    prompt_set_id: str,
    to: Annotated[str, Query(max_length=100, description="Id of the prompt set to compare with")],
    state: State,
    service: Ready,
) -> DiffBody:
    """Return what the prompt set `to` adds, drops or words otherwise, label by label."""
    return await state.lookup_lane.run(functools.partial(service.diff, prompt_set_id, to))


# --- records


@router.post("/classify", tags=["classification"], responses=_UPLOAD)
async def classify(
    file: Files, classes: FormClasses, state: State, service: Ready
) -> ClassifyAnswer:
    """Score one ECG against classes named in words, in a label set or in a prompt set."""
    files = neutral_names(await read_uploads(file))
    return await state.classify_lane.run(functools.partial(service.classify, files, classes))


@router.post("/classify/batch", tags=["classification"], responses=_UPLOAD)
async def classify_batch(
    file: Files, classes: FormClasses, request: Request, state: State, service: Ready
) -> BatchAnswer:
    """Score several ECGs; each gets its result or its error.

    With `Accept: application/x-ndjson` every record's line is sent as soon as it is done.
    """
    groups = group_records(await read_uploads(file))
    await state.classify_lane.run(functools.partial(service.prompts_for, classes))
    items = _batch_items(groups, classes, state, service, request_id_of(request.scope))
    if NDJSON in request.headers.get("accept", ""):
        lines = (item.model_dump_json() + "\n" async for item in items)
        return StreamingResponse(lines, media_type=NDJSON)  # type: ignore[return-value]
    results = [item async for item in items]
    n_failed = sum(item.error is not None for item in results)
    return BatchAnswer(results=results, n_failed=n_failed)


async def _batch_items(
    groups: Sequence[Mapping[str, bytes]],
    classes: Classes,
    state: AppState,
    service: Service,
    request_id: str | None,
) -> AsyncIterator[BatchItem]:
    for index, files in enumerate(groups):
        call = functools.partial(service.classify, neutral_names(files), classes)
        try:
            result = await state.classify_lane.run(call)
        except KNOWN_ERRORS as error:
            problem = problem_body(error, request_id=request_id)
            yield BatchItem(index=index, files=list(files), error=problem)
        else:
            yield BatchItem(index=index, files=list(files), result=result)


class PaperSpeed(IntEnum):
    """Millimetres a second."""

    MM25 = 25
    MM50 = 50


class PaperGain(IntEnum):
    """Millimetres a millivolt."""

    MM5 = 5
    MM10 = 10
    MM20 = 20


@router.post(
    "/plot",
    tags=["classification"],
    response_class=Response,
    responses={**_UPLOAD, 200: {"content": {SVG: {"schema": {"type": "string"}}}}},
)
async def plot(
    file: Files,
    state: State,
    service: Ready,
    layout: Layout = "3x4+1",
    speed_mm_s: PaperSpeed = PaperSpeed.MM25,
    gain_mm_mv: PaperGain = PaperGain.MM10,
    theme: Theme = "light",
) -> Response:
    """Draw an ECG in the style of paper, as SVG."""
    files = neutral_names(await read_uploads(file))
    call = functools.partial(
        service.plot,
        files,
        layout=layout,
        speed_mm_s=speed_mm_s,
        gain_mm_mv=gain_mm_mv,
        theme=theme,
    )
    return Response(await state.classify_lane.run(call), media_type=SVG)


# --- knowledge and models


@router.get("/label-sets", tags=["knowledge"])
async def label_sets(service: Ready) -> list[LabelSetSummary]:
    """List the label sets."""
    return service.label_sets()


@router.get("/label-sets/{name}", tags=["knowledge"], responses=problems(404))
async def label_set(name: str, service: Ready) -> LabelSetBody:
    """Return a label set with its classes."""
    return service.label_set(name)


@router.get("/models", tags=["knowledge"])
async def models(service: Ready) -> list[ModelInfo]:
    """List the models."""
    return service.models()


@router.get("/knowledge/search", tags=["knowledge"])
async def search(
    state: State,
    service: Ready,
    q: Annotated[str, Query(min_length=1, max_length=300)],
    top_k: Annotated[int, Query(ge=1, le=100)] = 10,
    label_set: Annotated[str | None, Query(max_length=100)] = None,
) -> list[HitBody]:
    """Find concepts by name, alias, acronym or meaning."""
    call = functools.partial(service.search, q, top_k, label_set)
    return await state.lookup_lane.run(call)


@router.get("/knowledge/concepts/{concept_id}", tags=["knowledge"], responses=problems(404))
async def concept(concept_id: str, service: Ready) -> dict[str, Any]:
    """Return all that the sources say of a concept."""
    return service.concept(concept_id)
