"""Lines in, lines out: order, errors alone, bounded memory, hang-ups, full queues."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentiment_service.api.stream import parse_row, read_windows
from starlette.testclient import TestClient

from tests.service.tiny_model import Serve

STREAM = "/api/v1/sentiment/analyze/stream"


def ask(client: TestClient, body: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    response = client.post(STREAM, content=body)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/x-ndjson"
    *rows, last = [json.loads(line) for line in response.content.splitlines()]
    return rows, last


def test_answers_keep_order_and_id(client: TestClient) -> None:
    texts = ["服务态度很好", "客服完全不理人，差评"] * 100
    body = b"".join(
        json.dumps({"id": f"r{i}", "text": text}).encode() + b"\n" for i, text in enumerate(texts)
    )
    rows, last = ask(client, body)
    assert [row["id"] for row in rows] == [f"r{i}" for i in range(200)]
    assert last == {"summary": {"rows": 200, "errors": 0}}
    assert rows[0].keys() == {
        "id",
        "sentiment",
        "english_label",
        "confidence",
        "probabilities",
        "truncated",
    }
    batch = client.post(
        "/api/v1/sentiment/analyze/batch", json={"texts": texts[:2], "return_details": True}
    ).json()["data"]
    for row, item in zip(rows[:2], batch, strict=True):
        assert {**row, "text": item["text"]} == {**item, "id": row["id"]}


def test_a_bad_row_fails_alone(serve: Serve) -> None:
    client = serve(max_text_length=10, max_body_bytes=1024)
    lines = [
        b'{"text": "\xe5\xa5\xbd"}',
        b"not json",
        b"[1]",
        b'{"text": 5}',
        b'{"text": "  "}',
        b'{"text": "' + b"a" * 11 + b'"}',
        b'{"text": "' + b"a" * 5000 + b'"}',
        b'{"text": "\\ud800"}',
        b'{"id": 1.5, "text": "a"}',
        b'{"id": true, "text": "a"}',
        b"\xff\xfe",
        b"",
        b'{"id": "\\ud800", "text": "ok"}',
    ]
    rows, last = ask(client, b"\n".join(lines))
    codes = [row.get("error", {}).get("code") for row in rows]
    assert codes == [
        None,
        "invalid_json",
        "invalid_request",
        "invalid_request",
        "blank_text",
        "text_too_long",
        "line_too_long",
        "invalid_request",
        "invalid_request",
        "invalid_request",
        "invalid_json",
        None,
    ]
    assert rows[6]["error"]["message"].startswith("line 7 ")
    assert last["summary"] == {"rows": 12, "errors": 10}


def test_streams_are_no_part_of_the_average_time(client: TestClient) -> None:
    ask(client, b'{"text": "\xe5\xa5\xbd"}\n')
    health = client.get("/health").json()
    assert (health["total_requests"], health["avg_response_time_ms"]) == (1, 0)
    metrics = client.get("/metrics").text
    assert f'structbert_requests_total{{endpoint="{STREAM}",model="",status="200"}} 1.0' in metrics
    assert "structbert_request_latency_seconds_count{" not in metrics


def test_an_empty_body_is_no_rows(client: TestClient) -> None:
    assert ask(client, b"") == ([], {"summary": {"rows": 0, "errors": 0}})


def test_a_failed_model_is_an_ordinary_error(serve: Serve, tmp_path: object) -> None:
    response = serve(model_dir=tmp_path).post(STREAM, content=b'{"text": "a"}\n')
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "model_unavailable"


async def _collect(chunks: list[bytes], **limits: int) -> list[list[Any]]:
    messages = [
        {"type": "http.request", "body": chunk, "more_body": i < len(chunks) - 1}
        for i, chunk in enumerate(chunks)
    ]
    feed = iter(messages)

    async def receive() -> Any:
        return next(feed)

    windows: AsyncIterator[list[Any]] = read_windows(receive, **limits)
    return [window async for window in windows]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    lines=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=30),
    cuts=st.lists(st.integers(min_value=0, max_value=2000), max_size=8),
)
def test_where_the_body_is_cut_changes_nothing(lines: list[str], cuts: list[int]) -> None:
    body = b"\n".join(json.dumps({"text": line}).encode() for line in lines)
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    chunks = [body[a:b] for a, b in itertools.pairwise(places)] or [b""]
    limits = {"max_length": 100, "max_line": 300}
    whole = [row for window in asyncio.run(_collect([body], **limits)) for row in window]
    cut = [row for window in asyncio.run(_collect(chunks, **limits)) for row in window]
    assert cut == whole


def test_a_line_without_end_is_not_kept() -> None:
    chunks = [b'{"text": "'] + [b"a" * 1000] * 50 + [b'"}\n{"text": "b"}\n']
    windows = asyncio.run(_collect(chunks, max_length=100, max_line=1000))
    rows = [row for window in windows for row in window]
    assert [(row.id, row.problem.code if row.problem else row.text) for row in rows] == [
        (1, "line_too_long"),
        (2, "b"),
    ]


def test_parse_row_names_the_line() -> None:
    row = parse_row(b"{", 7, 10)
    assert row.problem is not None
    assert row.problem.message == "line 7 is not valid JSON"


@pytest.mark.parametrize("size", [64, 65, 1000])
def test_windows_are_bounded(size: int) -> None:
    body = b'{"text": "a"}\n' * size
    windows = asyncio.run(_collect([body], max_length=10, max_line=100))
    assert max(len(window) for window in windows) <= 64
    assert sum(len(window) for window in windows) == size
