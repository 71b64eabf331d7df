"""Prometheus metrics: the article's four names, and what the batcher and the lifecycle do."""

from __future__ import annotations

from collections.abc import Callable

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


def memory_bytes() -> int:
    """Resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


class Metrics:
    """One registry per app, so that two apps in one process do not meet."""

    def __init__(self, queue_length: Callable[[], int]) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "structbert_requests", "API requests answered", ["endpoint", "status"], registry=registry
        )
        self.latency = Histogram(
            "structbert_request_latency_seconds",
            "Time from request to response",
            ["endpoint"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.active = Gauge("structbert_active_requests", "API requests in progress", registry=registry)
        Gauge(
            "structbert_memory_usage_bytes", "Resident memory of the process", registry=registry
        ).set_function(memory_bytes)
        self.model_loaded = Gauge("structbert_model_loaded", "1 while the model is loaded", registry=registry)
        self.batch_size = Histogram(
            "structbert_batch_size", "Texts per engine run", buckets=_BATCH_BUCKETS, registry=registry
        )
        self.queue_seconds = Histogram(
            "structbert_queue_seconds",
            "Time a text waited for the engine",
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        Gauge("structbert_queue_length", "Texts waiting for the engine", registry=registry).set_function(
            queue_length
        )
        self.total_requests = 0
        self._total_seconds = 0.0

    def observe_request(self, endpoint: str, status: int, seconds: float) -> None:
        self.requests.labels(endpoint, str(status)).inc()
        self.latency.labels(endpoint).observe(seconds)
        self.total_requests += 1
        self._total_seconds += seconds

    def observe_batch(self, size: int, waited: list[float]) -> None:
        self.batch_size.observe(size)
        for seconds in waited:
            self.queue_seconds.observe(seconds)

    @property
    def average_ms(self) -> float:
        return self._total_seconds * 1000 / self.total_requests if self.total_requests else 0.0

    def render(self) -> bytes:
        return generate_latest(self._registry)
