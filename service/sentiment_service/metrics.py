"""Prometheus metrics, owned by the scheduler's process: right whatever happens to HTTP workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, openmetrics

if TYPE_CHECKING:
    from sentiment_service.engine.batcher import Batch
    from sentiment_service.engine.lifecycle import State

_LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_ENGINE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
# What OpenMetrics allows for the names and values of an exemplar together.
_EXEMPLAR_CHARACTERS = 128


class RequestMetrics(Protocol):
    """What an HTTP worker counts: here, or over a connection to here."""

    def request_began(self) -> None: ...

    def request_ended(
        self, endpoint: str, status: int, seconds: float | None, model: str, exemplar: dict[str, str]
    ) -> None:
        """None for a stream: how long it takes is its sender's choice, and no measure of the service. No
        model for what was refused before one was chosen."""


def exemplar_of(request_id: str, trace_id: str) -> dict[str, str]:
    """What leads from a bucket of the latency to one of its requests, as far as there is room for it."""
    found, room = dict[str, str](), _EXEMPLAR_CHARACTERS
    for name, value in (("request_id", request_id), ("trace_id", trace_id)):
        if value and len(name) + len(value) <= room:
            found[name] = value
            room -= len(name) + len(value)
    return found


class Metrics:
    """One registry per scheduler, so that two of them in one process do not meet."""

    def __init__(self, memory_bytes: Callable[[], int], healthy: Callable[[], bool]) -> None:
        registry = self._registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=registry)

        self._requests = counter(
            "structbert_requests", "API requests answered", "endpoint", "status", "model"
        )
        self._latency = histogram(
            "structbert_request_latency_seconds",
            "From request to response; streams have none",
            _LATENCY_BUCKETS,
            "endpoint",
            "model",
        )
        self._active = gauge("structbert_active_requests", "API requests in progress")
        gauge("structbert_healthy", "1 while /health answers 200").set_function(healthy)
        gauge(
            "structbert_memory_usage_bytes",
            "Memory of all processes of the service, shared pages counted once (Pss)",
        ).set_function(memory_bytes)
        self.loaded = gauge("structbert_model_loaded", "1 while the model is loaded", "model")
        self.loads = counter("structbert_model_loads", "Times the model was loaded", "model")
        self.load_failures = counter(
            "structbert_model_load_failures", "Times it could not be loaded", "model"
        )
        self.unloads = counter("structbert_model_unloads", "Times the model was unloaded", "model")
        self.restarts = counter(
            "structbert_engine_failures", "Engine processes that died, hung or broke", "model"
        )
        self.batch_size = histogram(
            "structbert_batch_size", "Texts in an engine run", _BATCH_BUCKETS, "model"
        )
        self.queue_seconds = histogram(
            "structbert_queue_seconds", "Time that a text waited for the engine", _LATENCY_BUCKETS, "model"
        )
        self.engine_seconds = histogram(
            "structbert_engine_seconds", "Time of an engine run", _ENGINE_BUCKETS, "model"
        )
        self.tokens = counter("structbert_tokens", "Tokens that the engine read, without padding", "model")
        self.padding = counter(
            "structbert_padding_tokens", "Padding that the engine read beside them", "model"
        )
        self.texts = counter("structbert_texts", "Texts given to the engine", "model")
        self.truncated = counter("structbert_truncated_texts", "Texts whose end was not read", "model")
        self.queue_length = gauge("structbert_queue_length", "Texts waiting for the engine", "model")
        self.total_requests = 0
        self._timed_requests = 0
        self._timed_seconds = 0.0

    def request_began(self) -> None:
        self._active.inc()

    def request_ended(
        self, endpoint: str, status: int, seconds: float | None, model: str, exemplar: dict[str, str]
    ) -> None:
        self._active.dec()
        self._requests.labels(endpoint, str(status), model).inc()
        self.total_requests += 1
        if seconds is not None:
            self._latency.labels(endpoint, model).observe(seconds, exemplar)
            self._timed_requests += 1
            self._timed_seconds += seconds

    def requests_lost(self, count: int) -> None:
        """Requests that a dead HTTP worker took along."""
        self._active.dec(count)

    @property
    def average_ms(self) -> float:
        return self._timed_seconds * 1000 / self._timed_requests if self._timed_requests else 0.0

    def render(self, *, exemplars: bool) -> bytes:
        """Prometheus' text format, or with exemplars OpenMetrics."""
        if not exemplars:
            return generate_latest(self._registry)
        text: bytes = openmetrics.exposition.generate_latest(self._registry)  # type: ignore[no-untyped-call]
        return text


class ModelMetrics:
    """What one model counts."""

    def __init__(self, metrics: Metrics, model: str, queue_length: Callable[[], int]) -> None:
        self._loaded = metrics.loaded.labels(model)
        self._loads = metrics.loads.labels(model)
        self._load_failures = metrics.load_failures.labels(model)
        self._unloads = metrics.unloads.labels(model)
        self._restarts = metrics.restarts.labels(model)
        self._batch_size = metrics.batch_size.labels(model)
        self._queue_seconds = metrics.queue_seconds.labels(model)
        self._engine_seconds = metrics.engine_seconds.labels(model)
        self._tokens = metrics.tokens.labels(model)
        self._padding = metrics.padding.labels(model)
        self._texts = metrics.texts.labels(model)
        self._truncated = metrics.truncated.labels(model)
        metrics.queue_length.labels(model).set_function(queue_length)

    def observe_tokenised(self, texts: int, truncated: int) -> None:
        self._texts.inc(texts)
        self._truncated.inc(truncated)

    def observe_batch(self, batch: Batch) -> None:
        self._batch_size.observe(len(batch.waited))
        self._engine_seconds.observe(batch.seconds)
        self._tokens.inc(batch.tokens)
        self._padding.inc(batch.padded_tokens - batch.tokens)
        for seconds in batch.waited:
            self._queue_seconds.observe(seconds)

    def observe_state(self, before: State, after: State) -> None:
        """A change of the model's state."""
        self._loaded.set(after == "loaded")
        match (str(before), str(after)):
            case (_, "loaded"):
                self._loads.inc()
            case ("loaded", "failed"):
                self._restarts.inc()
            case (_, "failed"):
                self._load_failures.inc()
            case ("loaded", _):
                self._unloads.inc()
