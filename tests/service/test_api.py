"""The article's contract, through the real engine."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.service.tiny_model import MAX_TOKENS, Serve

ANALYZE = "/api/v1/sentiment/analyze"
BATCH = "/api/v1/sentiment/analyze/batch"
EXAMPLE = "这款手机拍照效果真的很棒,电池续航也很给力!"


def assert_error(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert body.keys() == {"success", "error", "request_id"}
    assert body["success"] is False
    assert body["error"].keys() == {"code", "message"}
    assert body["error"]["code"] == code
    assert body["request_id"] == response.headers["X-Request-ID"]
    return body


def test_the_articles_single_example(client: TestClient) -> None:
    response = client.post(ANALYZE, json={"text": EXAMPLE, "return_confidence": True})
    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"success", "data", "request_id"}
    assert body["success"] is True
    assert re.fullmatch(r"req_[0-9a-f]+", body["request_id"])
    data = body["data"]
    assert list(data) == ["text", "sentiment", "confidence", "english_label", "analysis_time_ms"]
    assert (data["text"], data["sentiment"], data["english_label"]) == (EXAMPLE, "积极", "Positive")
    assert data["confidence"] == round(data["confidence"], 4)
    assert 0.5 < data["confidence"] <= 1
    assert isinstance(data["analysis_time_ms"], int)


def test_the_articles_batch_example(client: TestClient) -> None:
    texts = [
        "服务态度很好,解决问题很快",
        "产品质量一般,没有宣传的那么好",
        "物流速度太慢了,等了一周才到",
        "客服完全不理人,差评",
        "价格实惠,性价比高",
    ]
    response = client.post(BATCH, json={"texts": texts, "batch_size": 32, "return_details": True})
    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"success", "data", "request_id"}
    assert [item["text"] for item in body["data"]] == texts
    assert [item["sentiment"] for item in body["data"]] == ["积极", "积极", "消极", "消极", "积极"]
    for item in body["data"]:
        assert item.keys() == {
            "text", "sentiment", "confidence", "english_label", "probabilities", "truncated"
        }  # fmt: skip
        assert sum(item["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "label", "english"),
    [("好", "积极", "Positive"), ("差", "消极", "Negative"), ("平", "中性", "Neutral")],
)
def test_the_three_labels(client: TestClient, text: str, label: str, english: str) -> None:
    data = client.post(ANALYZE, json={"text": text}).json()["data"]
    assert (data["sentiment"], data["english_label"]) == (label, english)
    assert data["confidence"] >= 0.5


def test_confidence_can_be_left_out(client: TestClient) -> None:
    data = client.post(ANALYZE, json={"text": "好", "return_confidence": False}).json()["data"]
    assert "confidence" not in data


def test_batch_without_details_is_short(client: TestClient) -> None:
    [item] = client.post(BATCH, json={"texts": ["好"]}).json()["data"]
    assert item.keys() == {"text", "sentiment", "confidence", "english_label"}


def test_a_bad_text_fails_alone_in_a_batch(client: TestClient) -> None:
    texts = ["好", " \n", "差", "好" * 513, "\x00\u200b", "好"]
    data = client.post(BATCH, json={"texts": texts}).json()["data"]
    assert [item["text"] for item in data] == texts
    assert [item.get("sentiment") for item in data] == ["积极", None, "消极", None, None, "积极"]
    codes = [item["error"]["code"] if "error" in item else "" for item in data]
    assert codes == ["", "blank_text", "", "text_too_long", "blank_text", ""]


def test_a_lone_surrogate_fails_alone_in_a_batch(client: TestClient) -> None:
    body = b'{"texts": ["\\ud800\xe5\xa5\xbd", "\xe5\xa5\xbd"]}'
    response = client.post(BATCH, content=body, headers={"Content-Type": "application/json"})
    bad, good = response.json()["data"]
    assert bad == {"text": "\ufffd好", "error": bad["error"]}
    assert bad["error"]["code"] == "invalid_text"
    assert good["sentiment"] == "积极"


@pytest.mark.parametrize(
    "body",
    [b'\xef\xbb\xbf{"text": "\xe5\xa5\xbd"}', b'{"text": "\xe5\xb7\xae", "text": "\xe5\xa5\xbd"}'],
    ids=["a byte order mark", "a key given twice: the last counts"],
)
def test_odd_bodies_that_are_taken(client: TestClient, body: bytes) -> None:
    response = client.post(ANALYZE, content=body, headers={"Content-Type": "application/json"})
    assert response.json()["data"]["sentiment"] == "积极"


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_other_content_types_are_refused(client: TestClient, kind: str) -> None:
    response = client.post(ANALYZE, content=b'{"text": "x"}', headers={"Content-Type": kind} if kind else {})
    assert "application/json" in assert_error(response, 415, "unsupported_media_type")["error"]["message"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_compressed_bodies_are_refused_unread(client: TestClient, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    response = client.post(ANALYZE, content=gzip.compress(b" " * 10_000_000), headers=headers)
    assert_error(response, 415, "unsupported_encoding")
    assert response.headers["Accept-Encoding"] == "identity"


def test_head_is_get_without_its_body(client: TestClient) -> None:
    assert client.head("/livez").status_code == 200
    assert client.head(ANALYZE).status_code == 405


def test_batch_of_only_bad_texts_needs_no_model(client: TestClient) -> None:
    data = client.post(BATCH, json={"texts": ["", " "]}).json()["data"]
    assert [item["error"]["code"] for item in data] == ["blank_text"] * 2
    assert client.get("/health").json()["model_loaded"] is False


def test_truncation_is_told(client: TestClient) -> None:
    assert "truncated" not in client.post(ANALYZE, json={"text": "好" * (MAX_TOKENS - 2)}).json()["data"]
    assert client.post(ANALYZE, json={"text": "好" * (MAX_TOKENS - 1)}).json()["data"]["truncated"] is True


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"text": 5}', 422, "invalid_request"),
        (b'{"text": null}', 422, "invalid_request"),
        (b'{"text": "x", "return_confidence": "yes"}', 422, "invalid_request"),
        (b'{"text": "\\ud800"}', 422, "invalid_text"),
        (b'{"text": NaN}', 400, "invalid_json"),
        (b'{"text": ' + b"9" * 5000 + b"}", 400, "invalid_json"),
        (b'{"text": "\xb2\xe2"}', 400, "invalid_json"),
        ('{"text": "\u597d"}'.encode("utf-16"), 400, "invalid_json"),
        (b"null", 422, "invalid_request"),
        (b'{"text": ""}', 422, "blank_text"),
        (b'{"text": " \\u3000\\n\\u200b\\u0000"}', 422, "blank_text"),
        (b'{"text": "' + b"x" * 513 + b'"}', 422, "text_too_long"),
    ],
)
def test_bad_bodies(client: TestClient, body: bytes, status: int, code: str) -> None:
    response = client.post(ANALYZE, content=body, headers={"Content-Type": "application/json"})
    assert_error(response, status, code)


def test_too_long_names_the_limit(serve: Serve) -> None:
    body = assert_error(serve(max_text_length=7).post(ANALYZE, json={"text": "好" * 8}), 422, "text_too_long")
    assert "8 characters" in body["error"]["message"]
    assert "at most 7" in body["error"]["message"]


def test_a_secret_is_never_echoed(client: TestClient) -> None:
    response = client.post(ANALYZE, json={"text": ["hunter2"], "return_confidence": "hunter2"})
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    "batch", [{"texts": []}, {"texts": "好"}, {"texts": ["好"], "batch_size": 0}, {"texts": [1]}]
)
def test_bad_batches(client: TestClient, batch: dict[str, Any]) -> None:
    assert_error(client.post(BATCH, json=batch), 422, "invalid_request")


def test_too_many_items(serve: Serve) -> None:
    client = serve(max_batch_items=3)
    assert_error(client.post(BATCH, json={"texts": ["好"] * 4}), 422, "too_many_items")


def test_unknown_paths_and_methods(client: TestClient) -> None:
    assert_error(client.get("/nothing"), 404, "not_found")
    assert_error(client.post("/api/v1/nothing", json={}), 404, "not_found")
    assert_error(client.get(ANALYZE), 405, "method_not_allowed")


def test_body_limit_by_header_and_by_stream(serve: Serve) -> None:
    client = serve(max_body_bytes=1024)
    assert_error(client.post(ANALYZE, content=b"x" * 1025), 413, "payload_too_large")
    assert_error(client.post(ANALYZE, content=iter([b"x" * 600] * 2)), 413, "payload_too_large")


@pytest.mark.parametrize("given", ["abc-1.2_3", "x" * 128])
def test_a_callers_request_id_is_kept(client: TestClient, given: str) -> None:
    response = client.post(ANALYZE, json={"text": "好"}, headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", "好".encode()])
def test_a_strange_request_id_is_replaced(client: TestClient, given: str | bytes) -> None:
    headers: Any = {"X-Request-ID": given}
    response = client.post(ANALYZE, json={"text": "好"}, headers=headers)
    assert re.fullmatch(r"req_[0-9a-f]{16}", response.json()["request_id"])


def test_health_has_exactly_the_articles_fields(client: TestClient) -> None:
    before = client.get("/health").json()
    assert list(before) == [
        "status", "timestamp", "version", "model_loaded", "memory_usage_mb", "total_requests",
        "avg_response_time_ms",
    ]  # fmt: skip
    assert (before["status"], before["model_loaded"], before["total_requests"]) == ("healthy", False, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", before["timestamp"])
    datetime.fromisoformat(before["timestamp"])
    assert before["memory_usage_mb"] > 1
    client.post(ANALYZE, json={"text": "好"})
    after = client.get("/health").json()
    assert (after["model_loaded"], after["total_requests"]) == (True, 1)
    assert after["avg_response_time_ms"] > 0


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_need_nothing_from_outside(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.headers["Content-Type"].startswith("text/html")
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", response.text)
    assert "@import" not in response.text


def test_openapi_lists_the_endpoints(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {ANALYZE, BATCH, "/health", "/metrics", "/livez", "/readyz", "/startupz"} <= paths.keys()
    assert "429" in paths[ANALYZE]["post"]["responses"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(), max_size=40))
def test_any_text_is_answered_or_refused(client: TestClient, text: str) -> None:
    # Escaped as ASCII: the only way in which a lone surrogate travels in JSON.
    body = json.dumps({"text": text})
    response = client.post(ANALYZE, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (200, 422)
    if response.status_code == 200:
        assert response.json()["data"]["text"] == text
    else:
        assert response.json()["error"]["code"] in ("blank_text", "invalid_text")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["好", "差", "平", "", "好好", "差 差 差"]), min_size=1, max_size=60))
def test_a_batch_says_what_single_requests_say(client: TestClient, texts: list[str]) -> None:
    data = client.post(BATCH, json={"texts": texts, "batch_size": 4}).json()["data"]
    assert [item["text"] for item in data] == texts
    for text, item in zip(texts, data, strict=True):
        single = client.post(ANALYZE, json={"text": text}).json()
        expected = single["data"]["sentiment"] if single["success"] else None
        assert item.get("sentiment") == expected
