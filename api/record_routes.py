"""Routes of recordings: classify one or many, draw one."""

import asyncio
import functools
import hashlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile

from api import fhir
from api.dependencies import ALWAYS, KNOWN_ONLY, Ready, State
from api.description import problems
from api.errors import KNOWN_ERRORS
from api.negotiation import preferred
from api.problems import log_fault, problem_body, request_id_of
from api.schemas import BatchAnswer, BatchItem, ClassifyAnswer
from api.service import Classes, Service, neutral_names, split_labels
from api.state import AppState
from api.streaming import JSON, NDJSON, SSE, Event, as_response
from api.uploads import group_records, read_uploads
from merl_core.plot import Layout, PlotOptions, Theme

SVG: Final = "image/svg+xml"
PNG: Final = "image/png"

router = APIRouter(
    dependencies=KNOWN_ONLY, responses={**ALWAYS, **problems(415)}, tags=["classification"]
)

Files = Annotated[
    list[UploadFile], File(description="One ECG; the parts of a WFDB record or one zip are one ECG")
]
Labels = Annotated[
    list[str],
    Form(
        description="Classes in words, repeated or separated by ';'",
        examples=[["atrial fibrillation; left bundle branch block; normal ECG"]],
    ),
]
LabelSetName = Annotated[str | None, Form(description="Name of a label set; see `GET /label-sets`")]
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
    state: State,
    labels: Labels = [],  # noqa: B006 - read only
    label_set: LabelSetName = None,
    prompt_set: PromptSetText = None,
    published: MustBePublished = False,
) -> Classes:
    """Return the classes that a form asks for."""
    return Classes(
        split_labels(labels),
        label_set or None,
        prompt_set or None,
        must_be_published=published or state.settings.require_published,
    )


FormClasses = Annotated[Classes, Depends(form_classes)]

_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The scores, the highest first",
        "content": {
            fhir.MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "description": "FHIR R4 bundle: a DiagnosticReport, an Observation for each "
                    "class (valueQuantity is the cosine, unit 1), and the Device that made them",
                }
            }
        },
    }
}
_STREAMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A result or an error for each record",
        "content": {
            NDJSON: {"schema": {"type": "string", "description": "One BatchItem a line"}},
            SSE: {
                "schema": {
                    "type": "string",
                    "description": "Events `item` (a BatchItem), and last `done`",
                }
            },
        },
    }
}


@router.post("/classify", response_model=ClassifyAnswer, responses={**_FORMS, **problems(406)})
async def classify(
    file: Files, classes: FormClasses, request: Request, state: State, service: Ready
) -> Any:
    """Score one ECG against classes named in words, in a label set or in a prompt set.

    With `Accept: application/fhir+json` the answer is a FHIR R4 bundle.
    """
    media_type = preferred(request.headers.get("accept", ""), (JSON, fhir.MEDIA_TYPE))
    files = neutral_names(await read_uploads(file))
    answer = await state.classify_lane.run(functools.partial(service.classify, files, classes))
    headers = {"ETag": _etag(answer, media_type), "Vary": "Accept"}
    if media_type == JSON:
        return Response(answer.model_dump_json(), media_type=JSON, headers=headers)
    find = functools.partial(service.xrefs, answer.prompt_set.id)
    bundle = fhir.to_bundle(answer, await state.lookup_lane.run(find))
    return Response(json.dumps(bundle), media_type=fhir.MEDIA_TYPE, headers=headers)


def _etag(answer: ClassifyAnswer, media_type: str) -> str:
    """Return a tag that is equal for equal record, model and prompts; times alone may differ."""
    parts = (
        answer.record.sha256,
        answer.model.sha256,
        answer.model.config_sha256,
        answer.model.backend,
        answer.prompt_set.id,
        media_type,
    )
    return f'W/"{hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]}"'


@router.post("/classify/batch", response_model=BatchAnswer, responses={**_STREAMS, **problems(406)})
async def classify_batch(
    file: Files, classes: FormClasses, request: Request, state: State, service: Ready
) -> Any:
    """Score several ECGs; each gets its result or its error.

    With `Accept: application/x-ndjson` or `text/event-stream` every record is sent as soon as it
    is done, in the order of the request.
    """
    media_type = preferred(request.headers.get("accept", ""), (JSON, NDJSON, SSE))
    state.classify_lane.admit()
    groups = group_records(await read_uploads(file))
    await state.classify_lane.run(functools.partial(service.prompts_for, classes), is_admitted=True)
    items = _batch_items(groups, classes, state, service, request_id_of(request.scope))
    if media_type != JSON:
        return await as_response(_batch_events(items), media_type, _batch_line)
    results = [item async for item in items]
    n_failed = sum(item.error is not None for item in results)
    answer = BatchAnswer(results=results, n_failed=n_failed)
    return Response(answer.model_dump_json(), media_type=JSON)


async def _batch_items(
    groups: Sequence[Mapping[str, bytes]],
    classes: Classes,
    state: AppState,
    service: Service,
    request_id: str | None,
) -> AsyncIterator[BatchItem]:
    """Yield an item for each record in order; a few are under way at the same time."""

    async def one(index: int, files: Mapping[str, bytes]) -> BatchItem:
        call = functools.partial(service.classify, neutral_names(files), classes)
        item = BatchItem(index=index, n_records=len(groups), files=list(files))
        try:
            result = await state.classify_lane.run(call, is_admitted=True)
        except Exception as error:
            if not isinstance(error, KNOWN_ERRORS):
                log_fault(error, request_id)
            return item.model_copy(update={"error": problem_body(error, request_id=request_id)})
        return item.model_copy(update={"result": result})

    under_way: deque[asyncio.Task[BatchItem]] = deque()
    try:
        for index, files in enumerate(groups):
            under_way.append(asyncio.create_task(one(index, files)))
            if len(under_way) > 2 * state.settings.n_workers:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()


async def _batch_events(items: AsyncIterator[BatchItem]) -> AsyncIterator[Event]:
    n_records = n_failed = 0
    async for item in items:
        n_records += 1
        n_failed += item.error is not None
        yield Event("item", item.model_dump_json())
    yield Event.of("done", {"n_records": n_records, "n_failed": n_failed})


def _batch_line(event: Event) -> str | None:
    return event.data if event.name == "item" else None


class PaperSpeed(IntEnum):
    """Millimetres a second."""

    MM25 = 25
    MM50 = 50


class PaperGain(IntEnum):
    """Millimetres a millivolt."""

    MM5 = 5
    MM10 = 10
    MM20 = 20


class ImageFormat(StrEnum):
    """What a drawing is written as."""

    SVG = "svg"
    PNG = "png"


def query_plot_options(
    layout: Annotated[
        Layout, Query(description="`3x4+1` has a rhythm strip beneath the columns")
    ] = "3x4+1",
    speed_mm_s: Annotated[PaperSpeed, Query(description="mm/s")] = PaperSpeed.MM25,
    gain_mm_mv: Annotated[PaperGain, Query(description="mm/mV")] = PaperGain.MM10,
    theme: Annotated[Theme, Query(description="Colours of the paper")] = "light",
    start_s: Annotated[
        float, Query(ge=0, allow_inf_nan=False, description="First of the ten seconds shown")
    ] = 0.0,
) -> PlotOptions:
    """Return the drawing that a query asks for."""
    return PlotOptions(
        layout=layout,
        speed_mm_s=int(speed_mm_s),
        gain_mm_mv=int(gain_mm_mv),
        theme=theme,
        start_s=start_s,
    )


_IMAGES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The drawing, its size in millimetres (PNG: 152 dots an inch)",
        "content": {
            SVG: {"schema": {"type": "string"}},
            PNG: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/plot", response_class=Response, responses={**_IMAGES, **problems(406)})
async def plot(
    file: Files,
    options: Annotated[PlotOptions, Depends(query_plot_options)],
    request: Request,
    state: State,
    service: Ready,
    image_format: Annotated[
        ImageFormat | None,
        Query(alias="format", description="By default what `Accept` prefers, else SVG"),
    ] = None,
) -> Response:
    """Draw ten seconds of an ECG in the style of paper, as SVG or PNG."""
    accept = request.headers.get("accept", "")
    media_type = _MEDIA_TYPES[image_format] if image_format else preferred(accept, (SVG, PNG))
    files = neutral_names(await read_uploads(file))
    draw: Callable[..., str | bytes] = service.plot_png if media_type == PNG else service.plot
    image = await state.classify_lane.run(functools.partial(draw, files, **options))
    return Response(image, media_type=media_type, headers={"Vary": "Accept"})


_MEDIA_TYPES: Final = {ImageFormat.SVG: SVG, ImageFormat.PNG: PNG}
