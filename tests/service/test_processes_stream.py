"""Streams against the real process: memory that stays, a stop that loses no row."""

from __future__ import annotations

import json
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx

from tests.service.running import Running, running, wait_for

STREAM = "/api/v1/sentiment/analyze/stream"
_HEAD = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def _chunk(first: int, count: int) -> bytes:
    rows = b"".join(
        json.dumps({"id": n, "text": f"text {n}"}).encode() + b"\n" for n in range(first, first + count)
    )
    return f"{len(rows):x}\r\n".encode() + rows + b"\r\n"


def send_until_refused(port: int, most: int) -> int:
    """Bytes that are taken there from a client that reads no answer."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(_HEAD)
        number = 0
        while sent < most:
            piece = _chunk(number, 1000)
            try:
                client.sendall(piece)
            except TimeoutError:
                return sent
            number += 1000
            sent += len(piece)
    return sent


def test_a_client_that_does_not_read_is_not_read(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path, warm_up=True) as service:
        wait_for("readiness", service.ready)
        most = 64 << 20
        assert send_until_refused(service.http.base_url.port or 0, most) < most


def test_a_stop_in_the_middle_is_told_after_the_answers_before_it(package: Path, tmp_path: Path) -> None:
    with running(package, tmp_path, warm_up=True, drain_seconds=1) as service:
        wait_for("readiness", service.ready)
        stopped = False

        lines: list[dict[str, object]] = []
        with httpx.Client(timeout=60) as client:
            body = b"".join(json.dumps({"id": n, "text": f"t {n}"}).encode() + b"\n" for n in range(100_000))
            url = str(service.http.base_url) + STREAM
            with client.stream("POST", url, content=body) as answer:
                for line in answer.iter_lines():
                    lines.append(json.loads(line))
                    if not stopped:
                        stopped = True
                        service.parent.send_signal(signal.SIGTERM)
        *answered, last = lines
        assert [row["id"] for row in answered] == list(range(len(answered)))
        assert len(answered) < 100_000
        assert isinstance(last["error"], dict)
        assert last["error"]["code"] == "draining"


def test_a_client_that_sends_a_file_before_it_reads_gets_all(server: Running) -> None:
    """As most HTTP libraries do: answers that nobody reads yet must not keep the body out."""
    rows = 8000
    body = b"".join(json.dumps({"text": f"t {n}", "of": "x" * 400}).encode() + b"\n" for n in range(rows))
    head = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket() as client:
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            client.setsockopt(socket.SOL_SOCKET, buffer, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", server.http.base_url.port or 0))
        client.sendall(head.encode() + body)
        with client.makefile("rb") as answer:
            lines = [json.loads(line) for line in answer if line.startswith(b"{")]
    assert lines[-1]["summary"] == {"rows": rows, "errors": 0}


def test_bodies_that_are_collected_are_bounded(server: Running) -> None:
    """Four of the largest; who comes then is answered as the rows come, in a few windows of memory."""
    most = server.http.get("/api/v1/info").json()["limits"]["max_body_bytes"]
    head = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nContent-Length: {most}\r\n\r\n".encode()
    with ExitStack() as stack:
        clients = []
        for _ in range(5):
            address = ("127.0.0.1", server.http.base_url.port or 0)
            client = stack.enter_context(socket.create_connection(address, timeout=20))
            client.sendall(head + b'{"text": "a"}\n')
            clients.append(client)
            wait_for("it", lambda: server.metric("structbert_active_requests") == len(clients))
        assert b"200 OK" in clients[-1].recv(1024)
