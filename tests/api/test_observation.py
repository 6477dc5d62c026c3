"""What the outermost layer does with requests that are cut off."""

import asyncio
from typing import Any

import pytest

from api.metrics import Metrics
from api.observation import Observer

SCOPE = {"type": "http", "method": "GET", "path": "/x", "headers": []}


@pytest.mark.anyio
async def test_a_request_cut_off_by_a_stop_is_told_to_come_back() -> None:
    sent: list[Any] = []
    has_begun = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        has_begun.set()
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    observer = Observer(endless, metrics=Metrics())
    task = asyncio.create_task(observer(dict(SCOPE), receive, send))
    await has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] == 503
    assert int(headers[b"retry-after"]) > 0
    assert b'"not_ready"' in sent[1]["body"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
