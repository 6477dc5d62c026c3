"""What the service counts, in Prometheus's format; labels never hold what a client sent."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.lanes import Lane

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counters and histograms of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "merl_http_requests_total",
            "Requests by route, method and status.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "merl_http_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "merl_stage_seconds",
            "Time of each stage of a classification.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.problems = Counter(
            "merl_problems_total", "Errors by stable code.", ["code"], registry=self.registry
        )
        self.prompt_sets = Counter(
            "merl_prompt_sets_generated_total",
            "Prompt sets engineered, with or without a language model.",
            ["mode"],
            registry=self.registry,
        )
        self._waiting = Gauge(
            "merl_queue_waiting",
            "Requests that wait for a thread.",
            ["lane"],
            registry=self.registry,
        )
        self.ready = Gauge(
            "merl_ready", "1 once index and model are loaded.", registry=self.registry
        )

    def observe_stage(self, name: str, seconds: float) -> None:
        """Record how long a stage took."""
        self.stage_seconds.labels(name).observe(seconds)

    def watch(self, lane: Lane) -> None:
        """Report a lane's queue whenever metrics are read."""
        self._waiting.labels(lane.name).set_function(lambda: lane.n_waiting)

    def render(self) -> bytes:
        """Return the metrics as text."""
        return generate_latest(self.registry)
