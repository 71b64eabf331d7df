"""Traces: what the real exporter sends to a collector over OTLP/HTTP."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.service.running import ANALYZE, running, wait_for

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as one:
        thread = threading.Thread(target=one.serve_forever)
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_can_be_followed(package: Path, tmp_path: Path, collector: Collector, workers: int) -> None:
    with running(
        package, tmp_path, otel_exporter_otlp_endpoint=collector.url, workers=workers, warm_up=True
    ) as service:
        wait_for("the service to be ready", service.ready)
        answer = httpx.post(
            f"{service.http.base_url}{ANALYZE}",
            json={"text": "好"},
            headers={"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-{PARENT}-01"},
            timeout=20,
        )
        assert answer.headers["X-Request-ID"] == "mine"
        assert httpx.post(f"{service.http.base_url}{ANALYZE}", content=b"{").status_code == 415
        service.http.get("/livez")
        assert service.terminate() == 0, "what is left is sent at the end"
        assert [entry for entry in service.logs() if entry.get("request_id") == "mine"]
    spans = {span.name: span for span in collector.spans() if span.trace_id.hex() == TRACE}
    assert spans.keys() == {f"POST {ANALYZE}", "queue", "batch", "engine"}
    assert {attributes(span)["request_id"] for span in spans.values()} == {"mine"}
    request, queue, batch, engine = (spans[name] for name in (f"POST {ANALYZE}", "queue", "batch", "engine"))
    assert request.parent_span_id.hex() == PARENT
    assert attributes(request)["http.response.status_code"] == 200
    assert queue.parent_span_id == batch.parent_span_id == request.span_id
    assert engine.parent_span_id == batch.span_id
    assert attributes(batch)["batch.texts"] == 1
    times = [request.start_time_unix_nano, queue.start_time_unix_nano, queue.end_time_unix_nano]
    times += [engine.end_time_unix_nano, request.end_time_unix_nano]
    assert times == sorted(times)
    [refused] = [span for span in collector.spans() if span.trace_id.hex() != TRACE]
    assert (refused.name, attributes(refused)["http.response.status_code"]) == (f"POST {ANALYZE}", 415)
    assert attributes(collector.requests[0].resource_spans[0].resource)["service.name"] == "sentiment-service"


def test_nothing_of_it_is_imported_when_off() -> None:
    code = """if True:
        import sys
        from sentiment_service.app import create_app
        from sentiment_service.settings import Settings
        create_app(Settings())
        print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])
    """
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("changes", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
    ],
)
def test_when_it_is_on(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], on: bool) -> None:
    from sentiment_service.tracing import from_environment

    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    tracer = from_environment()
    assert (tracer is not None) == on
    if tracer is not None:
        tracer.stop()
