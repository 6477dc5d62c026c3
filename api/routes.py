"""Routes of the process, of knowledge and of models.

All routes parse, hand over to `Service` in a thread, and shape the answer; see also
`prompt_routes`, `record_routes` and `review_routes`.
"""

import functools
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api import __version__
from api.dependencies import ALWAYS, KNOWN_ONLY, Ready, State, ready_service
from api.description import problems
from api.metrics import CONTENT_TYPE
from api.schemas import (
    HealthBody,
    HitBody,
    LabelSetBody,
    LabelSetSummary,
    ModelInfo,
    ReadyBody,
)

router = APIRouter(dependencies=KNOWN_ONLY, responses=ALWAYS)
open_router = APIRouter()

# --- the process


@open_router.get("/health", tags=["operations"])
async def health() -> HealthBody:
    """Say that the process answers, at once, loaded or not."""
    return HealthBody(version=__version__)


@open_router.get("/ready", tags=["operations"], responses=problems(503))
async def ready(state: State) -> ReadyBody:
    """Say that the model is loaded, and that index and database answer; 503 otherwise."""
    service = ready_service(state)
    await state.lookup_lane.run(service.check, is_admitted=True)
    return ReadyBody(
        model=service.parts.engine.model_id,
        llm=service.parts.llm,
        n_concepts=len(service.parts.knowledge.concepts),
    )


@router.get("/metrics", tags=["operations"], response_class=Response)
async def metrics(state: State) -> Response:
    """Return counters and histograms in Prometheus's text format."""
    return Response(state.metrics.render(), media_type=CONTENT_TYPE)


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
    nearest: Annotated[bool, Query(description="List neighbours of an unknown query too.")] = False,
) -> list[HitBody]:
    """Find concepts by name, alias, acronym or meaning; none for what no source knows."""
    call = functools.partial(service.search, q, top_k, label_set, nearest=nearest)
    return await state.lookup_lane.run(call)


@router.get("/knowledge/concepts/{concept_id}", tags=["knowledge"], responses=problems(404))
async def concept(concept_id: str, service: Ready) -> dict[str, Any]:
    """Return all that the sources say of a concept."""
    return service.concept(concept_id)
