"""Traces, with OpenTelemetry: off, and nothing of it imported, unless OTEL_EXPORTER_OTLP_ENDPOINT is set.

A request is one span; below it, for each engine run that answered some of its texts, `queue` (until the run
began), `batch` (the run as the scheduler sees it) and in that `engine` (the inference itself). All carry the
request id, which is also in the log and in the answer. The standard OTEL_* variables count.
"""

from __future__ import annotations

import os
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sentiment_service import __version__
from sentiment_service.logs import log_error, log_event

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

    from sentiment_service.engine.batcher import Answers

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP = "http/protobuf"
# A large batch is answered by many runs; more of them tell nothing new.
_MOST_RUNS = 100

_request: ContextVar[tuple[Tracer, str] | None] = ContextVar("request", default=None)


class Tracer:
    """One for each process that answers requests: it has a thread, which a fork would lose."""

    def __init__(self, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "sentiment-service"}))
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("sentiment_service", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def request(self, name: str, headers: dict[str, str], request_id: str) -> RequestSpan:
        """A context manager: the span of one request, below the caller's `traceparent` if there is one."""
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(
            name,
            context=self._propagator.extract(headers),
            kind=SpanKind.SERVER,
            attributes={"request_id": request_id},
        )
        return RequestSpan(self, span, request_id)

    def add_runs(self, answers: Answers, request_id: str) -> None:
        # Runs are timed by the monotonic clock, which all processes of a machine share.
        offset = time.time_ns() - time.perf_counter_ns()

        def span(name: str, begin: float, end: float, parent: Any = None, **more: Any) -> Any:
            from opentelemetry.trace import set_span_in_context

            one = self._tracer.start_span(
                name,
                context=None if parent is None else set_span_in_context(parent),
                start_time=offset + int(begin * 1e9),
                attributes={"request_id": request_id, **more},
            )
            one.end(offset + int(end * 1e9))
            return one

        for run in answers.runs[:_MOST_RUNS]:
            span("queue", min(answers.queued, run.began), run.began)
            size = {"batch.texts": run.texts, "batch.tokens": run.tokens}
            batch = span("batch", run.began, run.ended, **size)
            span("engine", run.ended - run.engine_seconds, run.ended, batch)

    def stop(self) -> None:
        """Send what is left; takes seconds when the collector does not answer."""
        self._provider.shutdown()


class RequestSpan:
    def __init__(self, tracer: Tracer, span: Span, request_id: str) -> None:
        self._tracer = tracer
        self._span = span
        self._request_id = request_id

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; none when the sampler leaves this trace out."""
        context = self._span.get_span_context()
        return format(context.trace_id, "032x") if context.trace_flags.sampled else ""

    def answered(self, status: int) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)

    def __enter__(self) -> RequestSpan:
        from opentelemetry.context import attach
        from opentelemetry.trace import set_span_in_context

        self._context = attach(set_span_in_context(self._span))
        self._mine = _request.set((self._tracer, self._request_id))
        return self

    def __exit__(self, *_: object) -> None:
        from opentelemetry.context import detach

        _request.reset(self._mine)
        detach(self._context)
        self._span.end()


def add_runs(answers: Answers) -> None:
    """Put engine runs into the trace of the current request, if it has one."""
    current = _request.get()
    if current is not None:
        tracer, request_id = current
        tracer.add_runs(answers, request_id)


def from_environment() -> Tracer | None:
    """The tracer that the standard variables ask for; None when they ask for none."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), _HTTP)
    if protocol != _HTTP:
        log_error("", "tracing_off", f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}; only {_HTTP} is known", {})
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        log_error("", "tracing_off", f"{error}: install sentiment-operator[otel]", {})
        return None
    log_event("tracing", endpoint=next(os.environ[name] for name in _ENDPOINTS if os.environ.get(name)))
    return Tracer(OTLPSpanExporter())
