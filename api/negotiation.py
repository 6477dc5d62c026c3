"""Which form of an answer a client prefers, and whether it has it already (RFC 9110)."""

import re
from collections.abc import Sequence
from typing import Final

from api.errors import RequestError

_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def preferred(accept: str, offers: Sequence[str]) -> str:
    """Return the offer that `accept` ranks highest; the first of them where it ranks none.

    Source: RFC 9110, section 12.5.1.

    Raises:
        RequestError: `not_acceptable`, if it rules out every one.
    """
    if not accept.strip():
        return offers[0]
    ranges = [_parsed(part) for part in accept.split(",") if part.strip()]
    ranked = [(_quality(offer, ranges), -place, offer) for place, offer in enumerate(offers)]
    quality, _, offer = max(ranked)
    if quality <= 0:
        msg = f"none of the accepted types is on offer; there are {', '.join(offers)}"
        raise RequestError(msg, code="not_acceptable")
    return offer


def has_already(if_none_match: str, tag: str) -> bool:
    """Whether a client holds what a strong tag such as `"abc"` stands for.

    Source: RFC 9110, sections 8.8.3.2 (weak comparison) and 13.1.2.
    """
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)


def _parsed(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return name, min(max(float(quality), 0.0), 1.0)
    except ValueError:
        return name, 0.0


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality of the most exact range that covers an offer."""
    family = offer.partition("/")[0] + "/*"
    for wanted in (offer, family, "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
