"""The nginx file, in Debian's nginx, before real services."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tests.service.machine.proxy import port_of, proxied, site_of, unread
from tests.service.machine.streams import streaming
from tests.service.running import ANALYZE, Running, running, wait_for

Ask = Callable[[], httpx.Response]


@contextmanager
def _client(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client


@pytest.fixture
def client(three: list[Running], tmp_path: Path) -> Iterator[httpx.Client]:
    with proxied(tmp_path / "nginx", site_of(three)) as port, _client(port) as client:
        yield client


def test_requests_are_spread_and_go_where_the_least_is_in_work(
    three: list[Running], client: httpx.Client
) -> None:
    before = [service.requests() for service in three]
    for _ in range(9):
        assert client.post(ANALYZE, json={"text": "好"}).status_code == 200
    assert all(service.requests() > count for service, count in zip(three, before, strict=True))

    port = client.base_url.port or 0
    with streaming(port), streaming(port):
        before = [service.requests() for service in three]
        for _ in range(6):
            client.post(ANALYZE, json={"text": "好"})
        after = [service.requests() for service in three]
    assert sorted(now - then for now, then in zip(after, before, strict=True)) == [0, 0, 6]


def test_a_body_that_is_too_large_is_told_as_the_service_tells_it(
    three: list[Running], client: httpx.Client
) -> None:
    body = b'{"text": "' + b"a" * (5 << 20) + b'"}'
    for answer in (client.post(ANALYZE, content=body), three[0].http.post(ANALYZE, content=body)):
        assert answer.status_code == 413
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.json()["error"]["code"] == "payload_too_large"
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_what_the_caller_sees(client: httpx.Client) -> None:
    mine = client.post(ANALYZE, json={"text": "好"}, headers={"X-Request-ID": "order-66"})
    assert mine.json()["request_id"] == mine.headers["X-Request-ID"] == "order-66"
    assert client.post(ANALYZE, json={"text": "好"}, headers={"X-Request-ID": "a b"}).headers["X-Request-ID"]
    assert client.get("/").headers["Content-Type"].startswith("text/html")
    assert client.get("/health").json()["status"] == "healthy"
    assert client.get("/metrics").status_code == 404


def test_the_rate_of_one_client_is_limited(three: list[Running], tmp_path: Path) -> None:
    with proxied(tmp_path / "nginx", site_of(three, rate=1)) as port, _client(port) as client:
        answers = [client.post(ANALYZE, json={"text": "好"}) for _ in range(8)]
        assert client.get("/livez").status_code == 200
    assert answers[0].status_code == 200
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limited"
    assert refused.headers["Retry-After"] == "1"


def test_https_and_the_way_to_it(three: list[Running], tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("sentiment.example.com", "localhost")
    certificate, key = tmp_path / "one.crt", tmp_path / "one.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    trusted = tmp_path / "ca.crt"
    authority.cert_pem.write_to_path(str(trusted))
    site = site_of(three, certificate=(str(certificate), str(key)))
    with (
        proxied(tmp_path / "nginx", site) as port,
        httpx.Client(verify=ssl.create_default_context(cafile=str(trusted)), timeout=30) as client,
    ):
        sent_on = client.post(f"http://localhost:{port}{ANALYZE}", json={"text": "好"})
        assert sent_on.status_code == 308
        assert sent_on.headers["Location"] == f"https://localhost:{site.https_port}{ANALYZE}"
        assert client.post(sent_on.headers["Location"], json={"text": "好"}).json()["success"]


@contextmanager
def _hung(
    package: Path, folder: Path, other: Running, **changes: Any
) -> Iterator[tuple[Running, httpx.Client]]:
    """nginx before two instances, one of which reads nothing."""
    folder.mkdir()
    with running(package, folder, warm_up=True) as hung:
        wait_for("readiness", hung.ready)
        with proxied(folder / "nginx", site_of([hung, other], **changes)) as port, _client(port) as client:
            hung.parent.suspend()
            yield hung, client


def _caught(hung: Running, pool: ThreadPoolExecutor, ask: Ask) -> Future[httpx.Response]:
    """The request that reached the hung instance; those before it are answered by the other one."""
    while True:
        asked = _asked(hung, pool, ask)
        if not asked.done():
            return asked
        assert asked.result().status_code == 200


def _asked(hung: Running, pool: ThreadPoolExecutor, ask: Ask) -> Future[httpx.Response]:
    asked = pool.submit(ask)
    wait_for("an answer, or a request unread", lambda: asked.done() or unread(port_of(hung)))
    return asked


@pytest.mark.parametrize(("ask_twice", "status"), [("GET", 200), ("POST", 503)])
def test_what_was_sent_is_sent_again_only_if_that_is_safe(
    three: list[Running], package: Path, tmp_path: Path, ask_twice: str, status: int
) -> None:
    with _hung(package, tmp_path / "one", three[0]) as (hung, client), ThreadPoolExecutor(1) as pool:

        def ask() -> httpx.Response:
            return client.get("/health") if ask_twice == "GET" else client.post(ANALYZE, json={"text": "好"})

        caught = _caught(hung, pool, ask)
        before = three[0].requests()
        hung.parent.kill()
        answer = caught.result()
        assert answer.status_code == status, answer.text
        if ask_twice == "POST":
            assert answer.json()["error"]["code"] == "unavailable"
            assert answer.headers["Retry-After"] == "1"
            assert three[0].requests() == before
        # No instance has seen these; the dead one is left out.
        for _ in range(10):
            assert client.post(ANALYZE, json={"text": "好"}).status_code == 200


def test_an_instance_that_does_not_answer_costs_a_deadline(
    three: list[Running], package: Path, tmp_path: Path
) -> None:
    with _hung(package, tmp_path / "one", three[0], answer_seconds=1) as (hung, client):
        with ThreadPoolExecutor(1) as pool:
            answer = _caught(hung, pool, lambda: client.post(ANALYZE, json={"text": "好"})).result()
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "deadline_exceeded"
        hung.parent.resume()


def test_a_restart_behind_it_is_not_seen(three: list[Running], package: Path, tmp_path: Path) -> None:
    """Draining, then gone: all requests are answered."""
    with running(package, tmp_path, warm_up=True, drain_seconds=1) as stopped:
        wait_for("readiness", stopped.ready)
        with proxied(tmp_path / "nginx", site_of([stopped, *three[:1]])) as port, _client(port) as client:
            before = stopped.requests()
            wait_for(
                "a request at the instance",
                lambda: client.post(ANALYZE, json={"text": "好"}).is_success and stopped.requests() > before,
            )
            with ThreadPoolExecutor(1) as pool:
                end = pool.submit(stopped.terminate)
                statuses = []
                while not end.done():
                    statuses.append(client.post(ANALYZE, json={"text": "好"}).status_code)
                assert end.result() == 0
            assert set(statuses) == {200}
