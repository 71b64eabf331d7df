"""The Open Inference Protocol v2."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sentiment_service import __version__
from starlette.testclient import TestClient

from tests.service.tiny_model import MAX_TOKENS, Serve

INFER = "/v2/models/tiny/infer"
ALL = ["label", "english_label", "score", "probabilities", "truncated"]


def request(*texts: Any, **changes: Any) -> dict[str, Any]:
    given = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts), **changes}
    return {"inputs": [given]}


def outputs(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in body["outputs"]}


def test_server_and_model_metadata(client: TestClient) -> None:
    for path in ("/v2", "/v2/"):
        assert client.get(path).json() == {
            "name": "sentiment-service",
            "version": __version__,
            "extensions": [],
        }
    for path in ("/v2/models/tiny", "/v2/models/tiny/versions/1"):
        metadata = client.get(path).json()
        assert metadata.keys() == {"name", "versions", "platform", "inputs", "outputs"}
        assert (metadata["name"], metadata["versions"]) == ("tiny", ["1"])
        assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
        assert [one["name"] for one in metadata["outputs"]] == ALL
        assert metadata["outputs"][3] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}


def test_health(client: TestClient) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"live": True, "ready": True}
    for path in ("/v2/models/tiny/ready", "/v2/models/tiny/versions/1/ready"):
        assert client.get(path).json() == {"name": "tiny", "ready": True}
    service = client.app.state.service  # type: ignore[attr-defined]
    service.scheduler.drain()
    for path in ("/v2/health/ready", "/v2/models/tiny/ready"):
        response = client.get(path)
        assert (response.status_code, response.json()["ready"]) == (503, False)


@pytest.mark.parametrize("path", [INFER, "/v2/models/tiny/versions/1/infer"])
def test_infer(client: TestClient, path: str) -> None:
    body = client.post(path, json={"id": "42", "parameters": {"a": 1}, **request("好", "差", "平")}).json()
    assert list(body) == ["model_name", "model_version", "id", "outputs"]
    assert (body["model_name"], body["model_version"], body["id"]) == ("tiny", "1", "42")
    found = outputs(body)
    assert list(found) == ALL
    assert found["label"] == {
        "name": "label", "shape": [3], "datatype": "BYTES", "data": ["积极", "消极", "中性"]
    }  # fmt: skip
    assert found["english_label"]["data"] == ["Positive", "Negative", "Neutral"]
    assert found["truncated"] == {
        "name": "truncated", "shape": [3], "datatype": "BOOL", "data": [False] * 3
    }  # fmt: skip
    probabilities = found["probabilities"]
    assert (probabilities["shape"], probabilities["datatype"]) == ([3, 2], "FP32")
    rows = [probabilities["data"][at : at + 2] for at in (0, 2, 4)]
    assert all(sum(row) == pytest.approx(1) for row in rows)
    assert found["score"]["data"] == [max(row) for row in rows]
    assert rows[0][1] > 0.9 > 0.1 > rows[1][1]


def test_without_an_id_none_comes_back(client: TestClient) -> None:
    assert "id" not in client.post(INFER, json=request("好")).json()


def test_outputs_are_chosen_and_ordered(client: TestClient) -> None:
    asked = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "label"}]
    body = client.post(INFER, json={**request("好"), "outputs": asked}).json()
    assert list(outputs(body)) == ["score", "label"]
    assert list(outputs(client.post(INFER, json={**request("好"), "outputs": []}).json())) == ALL


def test_rows_may_be_nested(client: TestClient) -> None:
    body = client.post(INFER, json=request("好", "差", shape=[2, 1], data=[["好"], ["差"]])).json()
    assert outputs(body)["english_label"]["data"] == ["Positive", "Negative"]


def test_truncation_is_told(client: TestClient) -> None:
    body = client.post(INFER, json=request("好", "好" * MAX_TOKENS)).json()
    assert outputs(body)["truncated"]["data"] == [False, True]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (request("好", datatype="FP32"), "datatype 'FP32'; it must be 'BYTES'"),
        (request("好", name="texts"), "one input named 'text' is needed; there is 'texts'"),
        ({"inputs": [*request("好")["inputs"]] * 2}, "one input named 'text'"),
        (request("好", shape=[2]), "shape [2] but 1 elements"),
        (request("好", shape=[1, 2]), "it must be [n] or [n, 1]"),
        (request("好", shape=[-1]), "inputs.0.shape.0"),
        (request("好", shape=[1.5]), "inputs.0.shape.0"),
        (request("好", shape=[2**64]), "inputs.0.shape.0"),
        (request("好", shape=[]), "inputs.0.shape"),
        (request(), "1 to 1000 (MAX_BATCH_ITEMS)"),
        (request("好", 5), "element 1 is no string"),
        (request([["好"]]), "element 0 is no string"),
        (request("好", " "), "element 1: the text is blank"),
        (request("好" * 513), "at most 512 (MAX_TEXT_LENGTH)"),
        ({**request("好"), "outputs": [{"name": "logits"}]}, "there is no output 'logits'"),
        ({**request("好"), "outputs": [{"name": "label"}] * 2}, "asked for twice"),
        ({**request("好"), "id": 42}, "id:"),
        ({**request("好"), "id": "\ud800"}, "id: Value error, holds a lone surrogate"),
        ({}, "inputs:"),
        ([], "must be a JSON object"),
    ],
)
def test_wrong_requests_get_the_protocols_error(client: TestClient, body: Any, told: str) -> None:
    content = json.dumps(body)  # all escaped: so a lone surrogate travels
    response = client.post(INFER, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json().keys() == {"error"}
    assert told in response.json()["error"]
    assert response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/v2/models/other", 404, "this server has 'tiny'"),
        ("GET", "/v2/models/other/ready", 404, "this server has 'tiny'"),
        ("GET", "/v2/models/tiny/versions/2", 404, "it has '1'"),
        ("POST", "/v2/models/other/infer", 404, "this server has 'tiny'"),
        ("GET", INFER, 405, "method"),
        ("GET", "/v2/nothing", 404, "nothing at this path"),
    ],
)
def test_what_is_not_there(client: TestClient, method: str, path: str, status: int, told: str) -> None:
    response = client.request(method, path, json=request("好") if method == "POST" else None)
    assert response.status_code == status
    assert response.json().keys() == {"error"}
    assert told in response.json()["error"]


def test_limits_hold_here_too(serve: Serve) -> None:
    client = serve(max_body_bytes=1024, max_batch_items=2)
    too_large = client.post(INFER, content=b"x" * 1025)
    assert (too_large.status_code, list(too_large.json())) == (413, ["error"])
    assert client.post(INFER, json=request("好", "好", "好")).status_code == 400
    compressed = client.post(INFER, content=b"x", headers={"Content-Encoding": "gzip"})
    assert (compressed.status_code, list(compressed.json())) == (415, ["error"])


def test_binary_tensors_are_refused_with_the_remedy(client: TestClient) -> None:
    response = client.post(INFER, json=request("好"), headers={"Inference-Header-Content-Length": "20"})
    assert response.status_code == 400
    assert "binary_data=False" in response.json()["error"]


def test_infer_is_counted_under_one_label(client: TestClient) -> None:
    client.post(INFER, json=request("好"))
    client.post("/v2/models/other/infer", json=request("好"))
    metrics = client.get("/metrics").text
    assert (
        'structbert_requests_total{endpoint="/v2/models/{name}/infer",model="",status="200"} 1.0' in metrics
    )
    assert (
        'structbert_requests_total{endpoint="/v2/models/{name}/infer",model="",status="404"} 1.0' in metrics
    )


def test_without_a_package_the_model_is_unavailable(serve: Serve, tmp_path: Any) -> None:
    client = serve(model_dir=tmp_path)
    response = client.get("/v2/models/tiny")
    assert response.status_code == 503
    assert "no model package" in response.json()["error"]
