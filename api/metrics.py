"""What the service counts, in Prometheus's format; labels never hold what a client sent."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.lanes import Lane
from api.watch import Watch

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_WINDOWS: Final = (1, 2, 4, 8, 16, 32, 64)


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
        self.llm_calls = Counter(
            "merl_llm_calls_total",
            "Calls of the language model by outcome: ok, cut (answer too long) or error.",
            ["outcome"],
            registry=self.registry,
        )
        self.llm_seconds = Histogram(
            "merl_llm_seconds",
            "Time of a call of the language model.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.cache_lookups = Counter(
            "merl_cache_lookups_total",
            "Look-ups by cache and result: hit or miss.",
            ["cache", "result"],
            registry=self.registry,
        )
        self.batch_windows = Histogram(
            "merl_encoder_batch_windows",
            "Windows that went through the encoder together.",
            buckets=_WINDOWS,
            registry=self.registry,
        )
        self.encoder_waiting = Gauge(
            "merl_encoder_waiting", "Records that wait for the encoder.", registry=self.registry
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

    def listen(self, watch: Watch) -> None:
        """Count what parts report."""

        def on_llm_call(outcome: str, seconds: float) -> None:
            self.llm_calls.labels(outcome).inc()
            self.llm_seconds.observe(seconds)

        def on_cache(name: str, is_hit: bool) -> None:
            self.cache_lookups.labels(name, "hit" if is_hit else "miss").inc()

        watch.on_llm_call = on_llm_call
        watch.on_cache = on_cache
        watch.on_batch = self.batch_windows.observe

    def watch(self, lane: Lane) -> None:
        """Report a lane's queue whenever metrics are read."""
        self._waiting.labels(lane.name).set_function(lambda: lane.n_waiting)

    def render(self) -> bytes:
        """Return the metrics as text."""
        return generate_latest(self.registry)
