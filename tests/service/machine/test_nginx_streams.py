"""Streams through nginx: rows as they are answered, nothing collected by nginx, and an end that is told."""

from __future__ import annotations

import json
import select
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.service.machine.proxy import proxied, site_of
from tests.service.machine.streams import STREAM, read_row, send_row, streaming
from tests.service.running import ANALYZE, Running, running, wait_for
from tests.service.test_processes_stream import send_until_refused

ROWS = 8000
# 3.5 MB; nginx takes a body of 4 MiB for other requests.
FILE = b"".join(
    json.dumps({"id": n, "text": f"t {n}", "of": "x" * 400}).encode() + b"\n" for n in range(ROWS)
)


def at_work(*services: Running) -> list[float]:
    """How many requests each of them has in hand."""
    return [service.metric("structbert_active_requests") for service in services]


def begun(service: Running) -> float:
    """Streams that it has had, with those in hand."""
    return service.metric("structbert_requests_total", endpoint=STREAM) + at_work(service)[0]


def on_disk(folder: Path) -> list[Path]:
    """Bodies and answers that nginx has put into files."""
    return [one for name in ("body", "proxy") for one in (folder / name).rglob("*") if one.is_file()]


def test_a_file_is_answered_row_by_row_and_lies_nowhere(three: list[Running], tmp_path: Path) -> None:
    folder = tmp_path / "nginx"
    with proxied(folder, site_of(three)) as port, httpx.Client(timeout=30) as client:
        url = f"http://127.0.0.1:{port}{STREAM}"
        with client.stream("POST", url, content=FILE) as answer:
            lines = answer.iter_lines()
            first = json.loads(next(lines))
            assert sum(at_work(*three)) == 1, "the first row came with the last"
            assert on_disk(folder) == []
            rows = [first, *map(json.loads, lines)]
    assert [row["id"] for row in rows[:-1]] == [*range(ROWS)]
    assert rows[-1] == {"summary": {"rows": ROWS, "errors": 0}}
    assert "temporary file" not in (folder / "error.log").read_text()


def test_a_reader_that_does_not_read_fills_neither_memory_nor_disk(
    three: list[Running], tmp_path: Path
) -> None:
    folder, most = tmp_path / "nginx", 64 << 20
    with proxied(folder, site_of(three)) as port:
        before = _memory(folder)
        assert send_until_refused(port, most) < most
        assert _memory(folder) - before < 4 << 20
        assert on_disk(folder) == []
        wait_for("the streams' end", lambda: at_work(*three) == [0, 0, 0])
    assert "temporary file" not in (folder / "error.log").read_text()


def _memory(folder: Path) -> int:
    """What nginx' processes hold, in bytes."""
    first = psutil.Process(int((folder / "nginx.pid").read_text()))
    return sum(one.memory_info().rss for one in (first, *first.children()))


def test_a_stream_outlasts_the_deadline_of_other_requests(
    three: list[Running], package: Path, tmp_path: Path
) -> None:
    """Its instance stands still for longer than that; where it goes on, so does the stream."""
    with ExitStack() as stack:
        slow = stack.enter_context(running(package, tmp_path, warm_up=True))
        wait_for("readiness", slow.ready)
        both = site_of([slow, three[0]], answer_seconds=1)
        port = stack.enter_context(proxied(tmp_path / "nginx", both))
        streams = [stack.enter_context(streaming(port)) for _ in range(2)]
        assert at_work(slow, three[0]) == [1, 1]
        slow.parent.suspend()
        for stream in streams:
            send_row(stream, "two")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            while client.post(ANALYZE, json={"text": "好"}).status_code != 504:
                pass  # the other instance had it
        slow.parent.resume()
        for stream in streams:
            read_row(stream, "two")


def test_a_client_that_leaves_sets_its_instance_free(three: list[Running], tmp_path: Path) -> None:
    with proxied(tmp_path / "nginx", site_of(three)) as port:
        with streaming(port):
            assert sum(at_work(*three)) == 1
        wait_for("the end of a stream without its end", lambda: at_work(*three) == [0, 0, 0])
        with _promising(port):
            wait_for("a body in part", lambda: sum(at_work(*three)) == 1)
        wait_for("the end of it", lambda: at_work(*three) == [0, 0, 0])


def _promising(port: int) -> socket.socket:
    """A connection that has sent one row of a long body."""
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode()
    client.sendall(head + FILE[:500])
    return client


@pytest.mark.parametrize("answered", [True, False])
def test_an_instance_that_dies_is_seen_and_nothing_is_sent_twice(
    three: list[Running], package: Path, tmp_path: Path, answered: bool
) -> None:
    with ExitStack() as stack:
        dying, other = stack.enter_context(running(package, tmp_path, warm_up=True)), three[0]
        wait_for("readiness", dying.ready)
        port = stack.enter_context(proxied(tmp_path / "nginx", site_of([dying, other])))
        begin = streaming if answered else _promising
        clients = [stack.enter_context(begin(port)) for _ in range(2)]
        wait_for("a stream at each", lambda: at_work(dying, other) == [1, 1])
        before = begun(other)
        dying.parent.kill()
        [broken] = wait_for("the end of one", lambda: select.select(clients, [], [], 0)[0])
        said = _rest(broken)
        if answered:
            assert not said.endswith(b"0\r\n\r\n"), "it looks whole"
        else:
            assert said.startswith(b"HTTP/1.1 503 ")
            assert b'"code": "unavailable"' in said
        assert begun(other) == before
        assert at_work(other) == [1]


def _rest(client: socket.socket) -> bytes:
    """What comes until the other side closes."""
    said = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(65536):
            said += piece
    return said
