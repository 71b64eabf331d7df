"""Hostile and broken clients against the real server process: memory bounded, others served."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.running import ANALYZE, Running, running, wait_for

BATCH = ANALYZE + "/batch"
MB = 1 << 20
HEAD = b"POST " + ANALYZE.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def no_connections_left(server: Running) -> None:
    # Two may be those of the tests themselves.
    wait_for("the connections to be closed", lambda: server.parent.num_fds() <= server.idle_files + 2)


@pytest.fixture(autouse=True)
def _others_are_served(server: Running) -> Iterator[None]:
    """Somebody else asks all the time, and gets each answer."""
    stop = threading.Event()
    answers: list[int | str] = []

    def ask() -> None:
        with httpx.Client(base_url=server.http.base_url, timeout=10) as client:
            while not stop.is_set():
                try:
                    answers.append(client.post(ANALYZE, json={"text": "好"}).status_code)
                except httpx.HTTPError as error:
                    answers.append(repr(error))
                time.sleep(0.05)

    other = threading.Thread(target=ask)
    other.start()
    yield
    wait_for("an answer to somebody else", lambda: answers)
    stop.set()
    other.join()
    assert set(answers) == {200}


class Growth:
    """How much resident memory the server took since, at its highest (bytes)."""

    def __init__(self, server: Running) -> None:
        self._clear = Path(f"/proc/{server.parent.pid}/clear_refs")
        self._status = Path(f"/proc/{server.parent.pid}/status")
        self._clear.write_text("5")  # the peak starts again from now
        self._before = self._read("VmRSS")

    def peak(self) -> int:
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        [line] = [one for one in self._status.read_text().splitlines() if one.startswith(name + ":")]
        return int(line.split()[1]) * 1024


@pytest.fixture
def connect(server: Running) -> Iterator[Callable[..., socket.socket]]:
    port = server.http.base_url.port
    with ExitStack() as stack:

        def open_one(receive_buffer: int = 0) -> socket.socket:
            one = stack.enter_context(socket.socket())
            if receive_buffer:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            one.settimeout(20)
            one.connect(("127.0.0.1", port))
            return one

        yield open_one


def read_all(one: socket.socket) -> bytes:
    """What comes until the server ends the connection, in whatever way."""
    received = b""
    with suppress(ConnectionError):
        while piece := one.recv(1 << 16):
            received += piece
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def drip(sockets: list[socket.socket], byte: bytes, seconds: float) -> None:
    """One more byte to each, now and then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for one in sockets:
            with suppress(OSError):
                one.send(byte)
        time.sleep(0.3)


def texts(count: int, length: int) -> bytes:
    return json.dumps(
        {"texts": [f"{n:05}" + "好" * (length - 5) for n in range(count)]}, ensure_ascii=False
    ).encode()


def test_slow_heads_are_cut_off(server: Running, connect: Callable[[], socket.socket]) -> None:
    growth = Growth(server)
    slow = [connect() for _ in range(300)]
    for one in slow[:200]:
        one.sendall(HEAD + b"X-Slow: ")
    for one in slow[200:]:  # what is between requests keeps nobody alive
        one.sendall(b"\r\n")
    drip(slow[:200], b"x", 2.0)
    assert {status_of(read_all(one)) for one in slow} == {0}
    assert growth.peak() < 30 * MB


def test_slow_bodies_get_408(connect: Callable[[], socket.socket]) -> None:
    slow = [connect() for _ in range(100)]
    for one in slow:
        one.sendall(HEAD + b'Content-Length: 1000\r\n\r\n{"text": "')
    drip(slow, b"x", 5.5)
    answers = [read_all(one) for one in slow]
    assert {status_of(answer) for answer in answers} == {408}
    assert json.loads(answers[0].partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"


def test_slow_readers_are_cut_off(server: Running, connect: Callable[..., socket.socket]) -> None:
    growth = Growth(server)
    body = texts(1000, 600)  # each too long, and told so with the text: a large answer that costs little
    slow = [connect(receive_buffer=4096) for _ in range(40)]
    head = HEAD.replace(b"analyze", b"analyze/batch")
    for one in slow:
        with suppress(ConnectionError):
            one.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    ports = {one.getsockname()[1] for one in slow}

    def open_ones() -> set[int]:
        return ports & {one.raddr.port for one in server.parent.net_connections("tcp") if one.raddr}

    wait_for("all of them to be ended", lambda: not open_ones())
    # The server's kernel offers what it still held at growing distances, up to two minutes (TCP_RTO_MAX).
    for one in slow:
        one.settimeout(150)
    assert all(len(answer) < len(body) for answer in map(read_all, slow))
    # 40 answers of 2 MB are held once each at the most, and their requests are gone.
    assert growth.peak() < 150 * MB


def test_half_closed_connections_end(connect: Callable[[], socket.socket]) -> None:
    for begin in (
        b"",
        b"POST /a",
        HEAD,
        HEAD + b"Content-Length: 50\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ):
        one = connect()
        one.sendall(begin)
        one.shutdown(socket.SHUT_WR)
        assert status_of(read_all(one)) == 0, begin


def test_aborted_connections_leave_nothing(server: Running, connect: Callable[[], socket.socket]) -> None:
    for _ in range(200):
        one = connect()
        one.sendall(HEAD + b"Content-Length: 50\r\n\r\n{")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    no_connections_left(server)


@pytest.mark.parametrize(
    "flood",
    [
        HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 100) for n in range(10_000)),
        HEAD + b"X: " + b"y" * 4 * MB,
        HEAD + b"y" * 4 * MB,
        b"GET /" + b"y" * 4 * MB,
    ],
    ids=["many headers", "a long value", "a long name", "a long path"],
)
def test_header_floods_get_431(server: Running, connect: Callable[[], socket.socket], flood: bytes) -> None:
    growth = Growth(server)
    for _ in range(20):
        one = connect()
        with suppress(ConnectionError):
            one.sendall(flood)
        assert status_of(read_all(one)) in (431, 0)  # 0: it was still sending when the answer came
    small = connect()
    small.sendall(flood[: 40 << 10])
    assert status_of(read_all(small)) == 431
    assert growth.peak() < 20 * MB


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"X\x00Y: 1\r\n\r\n",
    ],
    ids=["TLS", "version", "smuggling", "two lengths", "negative", "huge length", "chunk size", "NUL"],
)
def test_what_is_no_http_gets_400(connect: Callable[[], socket.socket], request_bytes: bytes) -> None:
    one = connect()
    one.sendall(request_bytes)
    assert status_of(read_all(one)) == 400


def test_pipelined_requests_are_answered_in_order(connect: Callable[[], socket.socket]) -> None:
    one = connect()
    ids = [b"id-%d" % n for n in range(20)]
    one.sendall(
        b"".join(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-ID: %s\r\n\r\n" % name for name in ids)
    )
    received = b""
    while received.count(b"HTTP/1.1 200") < len(ids):
        received += one.recv(1 << 16)
    found = [
        line.split(b": ")[1] for line in received.split(b"\r\n") if line.lower().startswith(b"x-request-id")
    ]
    assert found == ids


def test_a_pipeline_without_end_is_cut_off(server: Running, connect: Callable[[], socket.socket]) -> None:
    growth = Growth(server)
    flood = b"GET /livez HTTP/1.1\r\n\r\n" * 50_000
    for _ in range(20):
        one = connect()
        with suppress(ConnectionError):
            one.sendall(flood)
        read_all(one)
    assert growth.peak() < 30 * MB


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_bodies_of_100_mb_get_413(
    server: Running, connect: Callable[[], socket.socket], chunked: bool
) -> None:
    growth = Growth(server)

    def send(_: int) -> int:
        one = connect()
        one.sendall(
            HEAD + (b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 104857600") + b"\r\n\r\n"
        )
        piece = b"x" * MB
        with suppress(ConnectionError):
            for _ in range(100):
                one.sendall(b"100000\r\n" + piece + b"\r\n" if chunked else piece)
        return status_of(read_all(one))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(4))) == {413}
    assert growth.peak() < 80 * MB


def test_compressed_bombs_are_not_unpacked(server: Running) -> None:
    growth = Growth(server)
    bomb = gzip.compress(b'{"text": "' + b" " * 200 * MB + b'"}')
    for encoding in ("gzip", "deflate", "br", "zstd"):
        headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
        assert server.http.post(ANALYZE, content=bomb, headers=headers).status_code == 415
    assert growth.peak() < 20 * MB


def test_many_large_slow_bodies_share_a_budget(server: Running, connect: Callable[[], socket.socket]) -> None:
    growth = Growth(server)
    slow = [connect() for _ in range(150)]
    for one in slow:
        with suppress(ConnectionError):
            one.sendall(HEAD + b"Content-Length: 4000000\r\n\r\n" + b"x" * 3_900_000)
    answers = [read_all(one) for one in slow]  # 585 MB were sent, 32 MB may be held
    assert {status_of(answer) for answer in answers} <= {408, 429, 0}
    assert any(status_of(answer) == 429 for answer in answers)
    assert growth.peak() < 200 * MB


@pytest.mark.parametrize(
    "body",
    [
        b'{"texts": [' + b"1," * 2_000_000 + b"1]}",
        b'{"texts": [' + b"[]," * 1_300_000 + b"[]]}",
        b'{"texts": ' + b"[" * 4_000_000,
        b'{"text": ' + b"9" * 4_000_000 + b"}",
        b'{"text": "' + b"x" * 4_000_000 + b'"}',
        b"{" + b'"a":0,' * 600_000 + b'"text": "x"' + b"}",
        b'{"texts": ["\\ud800' + b'", "\\ud800' * 300_000 + b'"]}',
    ],
    ids=["wrong items", "lists", "nesting", "digits", "a long text", "unknown keys", "surrogates"],
)
def test_bodies_made_to_be_dear(server: Running, body: bytes) -> None:
    growth = Growth(server)
    for path in (ANALYZE, BATCH, "/v2/models/tiny/infer"):
        answer = server.http.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 400, 422), answer.text[:200]
    assert growth.peak() < 250 * MB


def test_more_requests_than_the_queue_holds(server: Running) -> None:
    def ask(number: int) -> httpx.Response:
        body = json.dumps({"texts": [f"好{number}差{n}" for n in range(1000)]})
        return httpx.post(
            str(server.http.base_url) + BATCH,
            content=body,
            headers={"Content-Type": "application/json"},
            timeout=20,
        )

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(ask, range(24)))
    assert {answer.status_code for answer in answers} <= {200, 429, 504}
    assert any(answer.status_code == 200 for answer in answers)
    for answer in answers:
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_10_000_idle_connections(server: Running, connect: Callable[[], socket.socket]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10_000, hard - 500)
    try:
        growth = Growth(server)
        idle = [connect() for _ in range(count)]
        assert server.analyze().status_code == 200
        assert growth.peak() < count * (16 << 10)
        for one in idle[:100]:
            assert read_all(one) == b""
    finally:
        for one in idle:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    no_connections_left(server)


def test_above_the_most_connections_the_longest_idle_one_goes(package: Path, tmp_path: Path) -> None:
    module = "tests.service.impatient"
    with running(package, tmp_path, module=module, test_max_connections=50) as crowded, ExitStack() as stack:
        port = crowded.http.base_url.port

        def is_served(one: socket.socket) -> bool:
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while not received.endswith(b"\r\n\r\nok"):
                received += one.recv(1 << 16)
            return status_of(received) == 200

        def connect() -> socket.socket:
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            assert is_served(one)
            return one

        *older, last = [connect() for _ in range(70)]
        assert [read_all(one) for one in older[:20]] == [b""] * 20
        for _ in range(5):
            assert crowded.analyze().status_code == 200
        assert is_served(last)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(alphabet=st.characters(), max_size=60).map(lambda text: json.dumps({"text": text}).encode()),
        st.lists(st.text(alphabet=st.characters(), max_size=8), max_size=8).map(
            lambda many: json.dumps({"texts": many}).encode()
        ),
        st.text(max_size=60).map(lambda text: b'{"text": "' + text.encode("gb18030", "replace") + b'"}'),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.sampled_from(["text", "texts", "inputs"]), inner)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    ),
    st.sampled_from([ANALYZE, BATCH, "/v2/models/tiny/infer"]),
)
def test_whatever_the_body_is(server: Running, body: bytes, path: str) -> None:
    answer = server.http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400, 422)
    json.loads(answer.content.decode("utf-8"))


def test_it_is_the_same_process_and_nothing_is_left(server: Running) -> None:
    assert server.analyze().status_code == 200
    assert [entry["message"] for entry in server.logs()].count("model loading") == 1
    no_connections_left(server)
