"""Several models in one service: chosen by name, apart from each other, within one memory limit."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError
from sentiment_service.engine import memory
from sentiment_service.settings import Settings
from starlette.testclient import TestClient

from tests.service.running import ANALYZE, Running, running, wait_for
from tests.service.tiny_model import WEIGHTS, Serve, write_package

STREAM = f"{ANALYZE}/stream"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`plain` reads 好 as praise, `contrary` as the opposite; `absent` has no package."""
    folder = tmp_path_factory.mktemp("models")
    write_package(folder / "plain")
    write_package(folder / "contrary", weights={char: -weight for char, weight in WEIGHTS.items()})
    return ",".join(f"{name}={folder / name}" for name in ("plain", "contrary", "absent"))


@pytest.fixture
def client(serve: Serve, models: str) -> TestClient:
    return serve(models=models)


def analyze(client: TestClient, **body: object) -> str:
    return str(client.post(ANALYZE, json={"text": "好", **body}).json()["data"]["english_label"])


def test_each_endpoint_chooses_by_name_and_else_the_first(client: TestClient) -> None:
    assert analyze(client) == analyze(client, model="plain") == "Positive"
    assert analyze(client, model="contrary") == "Negative"
    batch = client.post(f"{ANALYZE}/batch", json={"texts": ["好", "差"], "model": "contrary"}).json()
    assert [item["english_label"] for item in batch["data"]] == ["Negative", "Positive"]
    row = json.dumps({"text": "好"}).encode()
    lines = client.post(STREAM, params={"model": "contrary"}, content=row).text.splitlines()
    assert json.loads(lines[0])["english_label"] == "Negative"
    inputs = [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["好"]}]
    asked = {"inputs": inputs, "outputs": [{"name": "english_label"}]}
    for name, expected in (("plain", "Positive"), ("contrary", "Negative")):
        answer = client.post(f"/v2/models/{name}/infer", json=asked).json()
        assert (answer["model_name"], answer["outputs"][0]["data"]) == (name, [expected])
    metrics = client.get("/metrics").text
    assert f'structbert_requests_total{{endpoint="{ANALYZE}",model="contrary",status="200"}} 1.0' in metrics
    assert 'structbert_texts_total{model="contrary"} 5.0' in metrics
    assert 'structbert_model_loads_total{model="absent"} 0.0' in metrics


def test_a_model_that_is_not_there_is_named_with_those_that_are(client: TestClient) -> None:
    for path, body in ((ANALYZE, {"text": "好"}), (f"{ANALYZE}/batch", {"texts": ["好"]})):
        answer = client.post(path, json={**body, "model": "other"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_model")
        assert "'plain', 'contrary', 'absent'" in answer.json()["error"]["message"]
    assert client.post(STREAM, params={"model": ""}, content=b"").status_code == 404
    # The name in the package is that of another thing, when there are several.
    assert client.get("/v2/models/tiny").status_code == 404


def test_a_model_that_fails_leaves_the_others_answering(client: TestClient) -> None:
    refused = client.post(ANALYZE, json={"text": "好", "model": "absent"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_unavailable")
    assert analyze(client) == "Positive"
    assert client.get("/readyz").status_code == client.get("/health").status_code == 200
    plain, contrary, absent = client.get("/api/v1/info").json()["models"]
    assert (plain["default"], plain["state"], plain["model"]["name"]) == (True, "loaded", "tiny")
    assert (contrary["default"], contrary["state"]) == (False, "unloaded")
    assert (absent["state"], absent["model"]) == ("failed", None)
    assert "no model package" in absent["problem"]
    assert client.get("/v2/models/plain/ready").status_code == 200
    assert client.get("/v2/models/absent/ready").status_code == 503


def test_a_service_is_as_ready_as_its_default_model(serve: Serve, models: str) -> None:
    client = serve(models=",".join(reversed(models.split(","))))
    assert client.post(ANALYZE, json={"text": "好"}).status_code == 503
    assert client.get("/readyz").status_code == 503
    assert analyze(client, model="plain") == "Positive"


def test_one_model_alone_goes_by_its_packages_name_too(serve: Serve) -> None:
    client = serve()
    assert analyze(client, model="tiny") == "Positive"
    answer = client.post(ANALYZE, json={"text": "好", "model": "plain"})
    assert "this server has 'tiny'" in answer.json()["error"]["message"]
    assert client.get("/api/v1/info").json()["models"] == []


@pytest.mark.parametrize("wrong", ["a", "=/x", "a=", "a/b=/x", "a=/x,a=/y"])
def test_a_wrong_list_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="models"):
        Settings(models=wrong)


@pytest.mark.parametrize("workers", [1, 2])
def test_models_under_load_are_never_mixed(models: str, tmp_path: Path, workers: int) -> None:
    with running(Path(), tmp_path, models=models, workers=workers) as service, ThreadPoolExecutor(8) as pool:

        def ask(number: int) -> bool:
            name, praise = ("plain", "Positive") if number % 2 else ("contrary", "Negative")
            texts = ["好" * (1 + (number + extra) % 20) for extra in range(8)]
            body = {"texts": texts, "model": name}
            items = service.http.post(f"{ANALYZE}/batch", json=body).json()["data"]
            return [item["english_label"] for item in items] == [praise] * 8

        assert all(pool.map(ask, range(200)))
        for name in ("plain", "contrary"):
            assert service.metric("structbert_texts_total", model=name) == 800
            assert service.metric("structbert_model_loads_total", model=name) == 1
        assert len(service.engines()) == 2


def unreclaimable(*processes: psutil.Process) -> int:
    return memory.usage(process.pid for process in processes).unreclaimable


def ask(service: Running, model: str) -> int:
    return service.http.post(ANALYZE, json={"text": "好", "model": model}).status_code


def test_the_least_recently_used_gives_way_under_the_memory_limit(models: str, tmp_path: Path) -> None:
    with running(Path(), tmp_path, models=models) as service:
        assert ask(service, "plain") == 200
        engine = unreclaimable(service.engine())
        one = unreclaimable(service.parent) + engine
    with running(Path(), tmp_path, models=models, memory_soft_limit_bytes=one + engine // 2) as service:

        def loaded() -> list[str]:
            names = ("plain", "contrary")
            return [name for name in names if service.metric("structbert_model_loaded", model=name)]

        assert [ask(service, "plain"), ask(service, "contrary")] == [200, 200]
        # How large it is was not known before: both are there until the memory is measured.
        wait_for("the first to give way", lambda: loaded() == ["contrary"])
        assert service.ready()
        # Known now: the other one goes before this one comes.
        assert ask(service, "plain") == 200
        assert loaded() == ["plain"]
        assert service.metric("structbert_model_unloads_total", model="contrary") == 1
        assert ask(service, "contrary") == 200
        assert loaded() == ["contrary"]
