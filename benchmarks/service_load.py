"""The service beyond its capacity: many callers at once, then a stop in the midst of work.

`python -m benchmarks.service_load` starts the service, sends rounds of parallel `POST /classify`.
It writes what was answered, how long that took against one caller alone, and the memory before,
during and after to `benchmarks/results/service_load.json`. At last it stops the service while
requests are under way, and counts how many of them were answered.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.service import EXAMPLE, LABELS, ROOT, resident_mb, start


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or how the connection ended."""

    status: int
    """HTTP status; 0 where there was no answer."""
    seconds: float
    retry_after: str | None = None
    scores: tuple[tuple[str, float], ...] = ()


async def ask(client: httpx.AsyncClient) -> Reply:
    """Classify the example once."""
    begin = time.perf_counter()
    try:
        answer = await client.post(
            "/classify",
            files={"file": ("ecg.csv", EXAMPLE.read_bytes())},
            data={"labels": LABELS},
        )
    except httpx.TransportError:
        return Reply(0, time.perf_counter() - begin)
    seconds = time.perf_counter() - begin
    if answer.status_code != 200:
        return Reply(answer.status_code, seconds, answer.headers.get("retry-after"))
    rows = answer.json()["scores"]
    return Reply(200, seconds, None, tuple((row["label"], row["score"]) for row in rows))


async def ask_together(url: str, n_callers: int) -> list[Reply]:
    """Return the replies to callers that all ask at the same time, each over its own connection."""
    limits = httpx.Limits(max_connections=n_callers)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:
        return await asyncio.gather(*(ask(client) for _ in range(n_callers)))


def summary(replies: list[Reply], alone: Reply) -> dict[str, Any]:
    """Return counts by status, and how long answers took against one caller alone."""
    answered = [reply for reply in replies if reply.status == 200]
    refused = [reply for reply in replies if reply.status in (429, 503)]
    return {
        "by_status": {str(k): n for k, n in sorted(Counter(r.status for r in replies).items())},
        "refused_with_retry_after": sum(bool(reply.retry_after) for reply in refused),
        "largest_score_difference_to_lone": _largest_difference(answered, alone),
        "median_to_lone": _ratio([r.seconds for r in answered], alone),
        "slowest_to_lone": _ratio([max((r.seconds for r in answered), default=0.0)], alone),
        "median_refusal_ms": round(1000 * statistics.median(r.seconds for r in refused), 1)
        if refused
        else None,
    }


def _largest_difference(replies: list[Reply], alone: Reply) -> float:
    expected = dict(alone.scores)
    differences = [abs(expected[k] - v) for reply in replies for k, v in reply.scores]
    return round(max(differences, default=0.0), 6)


def _ratio(seconds: list[float], alone: Reply) -> float | None:
    return round(statistics.median(seconds) / alone.seconds, 1) if seconds else None


class MemoryWatch:
    """Samples the memory of a process and its children while a block runs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak_mb = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._is_over.wait(0.2):
            self.peak_mb = max(self.peak_mb, sum(resident_mb(self.pid).values()))


def stop_in_the_midst(process: Any, url: str, n_callers: int) -> dict[str, Any]:
    """Ask, tell the service to stop shortly after, and return what became of the requests."""
    replies: list[Reply] = []
    asking = threading.Thread(
        target=lambda: replies.extend(asyncio.run(ask_together(url, n_callers)))
    )
    asking.start()
    while httpx.get(f"{url}/metrics").text.find('merl_queue_waiting{lane="classify"} 0.0') >= 0:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    asking.join()
    return {
        "by_status": {str(k): n for k, n in sorted(Counter(r.status for r in replies).items())},
        "exit_status": process.wait(timeout=120),
    }


def measure(data_dir: Path, checkpoint: str, n_callers: int, n_rounds: int) -> dict[str, Any]:
    """Return what the service did under load, and when it was stopped."""
    process, url, _ = start(data_dir, checkpoint)
    try:
        asyncio.run(ask_together(url, 4))
        alone = ask_alone(url)
        before = sum(resident_mb(process.pid).values())
        replies: list[Reply] = []
        with MemoryWatch(process.pid) as memory:
            for _ in range(n_rounds):
                replies += asyncio.run(ask_together(url, n_callers))
        after = sum(resident_mb(process.pid).values())
        stopped = stop_in_the_midst(process, url, 24)
    finally:
        process.terminate()
        process.wait()
    return {
        "n_callers": n_callers,
        "n_rounds": n_rounds,
        "lone_answer_ms": round(alone.seconds * 1000, 1),
        "load": summary(replies, alone),
        "resident_mb": {
            "before": round(before),
            "peak": round(memory.peak_mb),
            "after": round(after),
        },
        "sigterm": stopped,
    }


def ask_alone(url: str) -> Reply:
    """Return the median of five answers to one caller alone."""
    replies = [asyncio.run(ask_together(url, 1))[0] for _ in range(5)]
    return sorted(replies, key=lambda reply: reply.seconds)[2]


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=ROOT / "runs" / "service-data")
    parser.add_argument("--checkpoint", default="merl-base")
    parser.add_argument("--n-callers", type=int, default=200)
    parser.add_argument("--n-rounds", type=int, default=3)
    parser.add_argument(
        "--output", type=Path, default=ROOT / "benchmarks/results/service_load.json"
    )
    options = parser.parse_args()
    options.data_dir.mkdir(parents=True, exist_ok=True)
    result = {
        "command": "python -m benchmarks.service_load",
        "checkpoint": options.checkpoint,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_average_1min": round(os.getloadavg()[0], 1),
        **measure(options.data_dir, options.checkpoint, options.n_callers, options.n_rounds),
    }
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
