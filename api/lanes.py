"""Lanes: threads for blocking work, with a bounded queue in front of them."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from api.errors import RequestError

_T = TypeVar("_T")


class Lane:
    """Runs blocking calls in at most `n_workers` threads; turns work away once too much waits.

    Lanes are apart from each other: slow work in one never delays the other.

    Args:
        name: Shown in metrics.
        n_workers: Calls at the same time.
        max_waiting: Calls that may wait.
    """

    def __init__(self, name: str, *, n_workers: int, max_waiting: int) -> None:
        self.name = name
        self.max_waiting = max_waiting
        self._limiter = anyio.CapacityLimiter(n_workers)

    @property
    def n_waiting(self) -> int:
        """Calls that wait for a thread."""
        return self._limiter.statistics().tasks_waiting

    def admit(self) -> None:
        """Let a request in.

        Raises:
            RequestError: `too_many_requests`, at once, if too many calls wait.
        """
        n_waiting = self.n_waiting
        if self._limiter.available_tokens <= 0 and n_waiting >= self.max_waiting:
            msg = f"{n_waiting} requests are waiting already, and no more may"
            raise RequestError(msg, code="too_many_requests", retry_after_s=2)

    async def run(self, call: Callable[[], _T], *, is_admitted: bool = False) -> _T:
        """Return what `call` returns, from a thread of this lane.

        Args:
            call: Blocks.
            is_admitted: The request that it is part of was let in already.

        Raises:
            RequestError: `too_many_requests`; see `admit`.
        """
        if not is_admitted:
            self.admit()
        return await anyio.to_thread.run_sync(call, limiter=self._limiter)
