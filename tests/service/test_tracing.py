"""Traces, as OpenTelemetry's own collector gets them over OTLP/HTTP; a request id wherever it stands."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.samples import Exemplar
from sentiment_service.metrics import exemplar_of

from e2e.cluster.monitoring.collector import config, program
from tests.service.running import ANALYZE, Running, running, wait_for

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Collector:
    """OpenTelemetry's, with what it was sent."""

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self._file = file

    def resources(self) -> list[dict[str, Any]]:
        lines = self._file.read_text().splitlines()
        return [one for line in lines for one in json.loads(line)["resourceSpans"]]

    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for resource in self.resources()
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file, log = tmp_path / "spans.json", tmp_path / "collector.log"
    command = [str(program()), f"--config={config(f'127.0.0.1:{port}', str(file))}"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            wait_for("the collector", lambda: "Everything is ready" in log.read_text())
            yield Collector(f"http://127.0.0.1:{port}", file)
        finally:
            process.terminate()
    assert process.returncode == 0, log.read_text()


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def exemplars(service: Running) -> list[Exemplar]:
    """Those that a Prometheus gets, with their bucket's endpoint."""
    answer = service.http.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    families = openmetrics_families(answer.text)  # type: ignore[no-untyped-call]
    samples = [sample for family in families for sample in family.samples if sample.exemplar]
    assert {sample.name for sample in samples} <= {"structbert_request_latency_seconds_bucket"}
    return [sample.exemplar for sample in samples if sample.labels["endpoint"] == ANALYZE]


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
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "mine"
        [exemplar] = exemplars(service)
        assert exemplar.labels == {"request_id": "mine", "trace_id": TRACE}
        assert httpx.post(f"{service.http.base_url}{ANALYZE}", content=b"{").status_code == 415
        service.http.get("/livez")
        assert service.terminate() == 0, "what is left is sent at the end"
        [logged] = [entry for entry in service.logs() if entry.get("request_id") == "mine"]
        assert logged["type"] == "request"
    every = wait_for("the spans", lambda: [spans for spans in [collector.spans()] if len(spans) >= 5])[0]
    spans = {span["name"]: span for span in every if span["traceId"] == TRACE}
    assert spans.keys() == {f"POST {ANALYZE}", "queue", "batch", "engine"}
    assert {attributes(span)["request_id"] for span in spans.values()} == {"mine"}
    request, queue, batch, engine = (spans[name] for name in (f"POST {ANALYZE}", "queue", "batch", "engine"))
    assert request["parentSpanId"] == PARENT
    assert attributes(request)["http.response.status_code"] == "200"
    assert queue["parentSpanId"] == batch["parentSpanId"] == request["spanId"]
    assert engine["parentSpanId"] == batch["spanId"]
    assert attributes(batch)["batch.texts"] == "1"
    times = [request["startTimeUnixNano"], queue["startTimeUnixNano"], queue["endTimeUnixNano"]]
    times += [engine["endTimeUnixNano"], request["endTimeUnixNano"]]
    assert times == sorted(times)
    [refused] = [span for span in every if span["traceId"] != TRACE]
    assert (refused["name"], attributes(refused)["http.response.status_code"]) == (f"POST {ANALYZE}", "415")
    [service_name] = {attributes(one["resource"])["service.name"] for one in collector.resources()}
    assert service_name == "sentiment-service"


def test_exemplars_need_no_collector(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path, warm_up=True) as service:
        wait_for("the service to be ready", service.ready)
        service.http.post(ANALYZE, json={"text": "好"}, headers={"X-Request-ID": "mine"})
        [exemplar] = exemplars(service)
        assert exemplar.labels == {"request_id": "mine"}
        plain = service.http.get("/metrics")
        assert plain.headers["Content-Type"].startswith("text/plain")
        assert "mine" not in plain.text, "the plain format knows no exemplars"


@pytest.mark.parametrize(
    ("characters", "names"),
    [(79, {"request_id"}), (78, {"request_id", "trace_id"}), (118, {"request_id"}), (119, {"trace_id"})],
)
def test_an_exemplar_fits_into_what_is_allowed(characters: int, names: set[str]) -> None:
    found = exemplar_of("x" * characters, TRACE)
    assert found.keys() == names
    assert sum(map(len, (*found.keys(), *found.values()))) <= 128


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
