"""Routes of the review workflow."""

import functools
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from api.dependencies import ALWAYS, KNOWN_ONLY, Limit, Offset, Ready, State
from api.description import problems
from api.review_schemas import (
    PUBLICATION_NAME,
    DecideRequest,
    DiffBody,
    OpenReview,
    PublicationBody,
    PublicationPage,
    PublishRequest,
    ReviewBody,
    ReviewEventPage,
    ReviewPage,
)

router = APIRouter(dependencies=KNOWN_ONLY, responses=ALWAYS, tags=["review"])

ReviewId = Annotated[str, Path(max_length=100)]


def _key_name(request: Request) -> str | None:
    found: str | None = request.scope.get("state", {}).get("key_name")
    return found


@router.post("/reviews", status_code=201)
async def open_review(
    body: OpenReview, request: Request, state: State, service: Ready
) -> ReviewBody:
    """Open a review of a stored prompt set."""
    call = functools.partial(
        service.reviews.open,
        body.name,
        body.prompt_set_id,
        reviewer=body.reviewer,
        reason=body.reason,
        api_key=_key_name(request),
    )
    return await state.lookup_lane.run(call)


@router.get("/reviews")
async def list_reviews(
    state: State, service: Ready, limit: Limit = 50, offset: Offset = 0
) -> ReviewPage:
    """List reviews, the newest first."""
    call = functools.partial(service.reviews.page, limit=limit, offset=offset)
    return await state.lookup_lane.run(call)


@router.get("/reviews/{review_id}", responses=problems(404))
async def get_review(review_id: ReviewId, state: State, service: Ready) -> ReviewBody:
    """Return a review: every phrase with its evidence and where it stands, and the draft."""
    return await state.lookup_lane.run(functools.partial(service.reviews.get, review_id))


@router.post("/reviews/{review_id}/decisions", responses=problems(404, 409))
async def decide(
    review_id: ReviewId, body: DecideRequest, request: Request, state: State, service: Ready
) -> ReviewBody:
    """Propose, approve, reject or edit phrases, with reviewer and reason; all of it, or nothing.

    What a reviewer words is verified like any phrase; `override` keeps what is refused.
    """
    call = functools.partial(
        service.reviews.decide,
        review_id,
        body.decisions,
        reviewer=body.reviewer,
        reason=body.reason,
        api_key=_key_name(request),
    )
    return await state.prompt_lane.run(call)


@router.get("/reviews/{review_id}/events", responses=problems(404))
async def review_events(
    review_id: ReviewId, state: State, service: Ready, limit: Limit = 50, offset: Offset = 0
) -> ReviewEventPage:
    """Return the audit trail: who did what, when and why."""
    call = functools.partial(service.reviews.events, review_id, limit=limit, offset=offset)
    return await state.lookup_lane.run(call)


@router.get("/reviews/{review_id}/diff", responses=problems(404))
async def review_diff(review_id: ReviewId, state: State, service: Ready) -> DiffBody:
    """Return how the draft differs from the set under review."""
    return await state.lookup_lane.run(functools.partial(service.reviews.diff, review_id))


@router.post("/reviews/{review_id}/publish", status_code=201, responses=problems(404, 409))
async def publish(
    review_id: ReviewId, body: PublishRequest, request: Request, state: State, service: Ready
) -> PublicationBody:
    """Publish the reviewed set as the next version of the review's name."""
    call = functools.partial(
        service.reviews.publish,
        review_id,
        reviewer=body.reviewer,
        reason=body.reason,
        api_key=_key_name(request),
    )
    return await state.lookup_lane.run(call)


@router.get("/publications")
async def publications(
    state: State,
    service: Ready,
    name: Annotated[str | None, Query(pattern=PUBLICATION_NAME)] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> PublicationPage:
    """List published versions, the newest first; of one name, or of all."""
    call = functools.partial(service.reviews.publications, name=name, limit=limit, offset=offset)
    return await state.lookup_lane.run(call)
