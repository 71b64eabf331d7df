"""How soon the service answers after exec, with its files in the page cache."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from rich.console import Console

from bench.bert_base import ensure
from bench.measure import POOL, Spread, mixed
from bench.progress import Steps
from bench.report import verdict
from bench.targets import ANALYZE, Server, ours

TIMES = 5
PATIENCE_SECONDS = 120


def first(port: int, request: bytes, begin: float) -> float:
    """Seconds from `begin` to the whole first answer; asked again until the port is open."""
    while time.monotonic() - begin < PATIENCE_SECONDS:
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=60) as tcp,
        ):
            tcp.sendall(request)
            _answered(tcp)
            return time.monotonic() - begin
        time.sleep(0.002)
    raise RuntimeError(f"no answer within {PATIENCE_SECONDS} s")


def _answered(tcp: socket.socket) -> None:
    answer = b"".join(iter(lambda: tcp.recv(65536), b""))
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the first answer is {answer[:200]!r}")


def _request(text: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    head = f"POST {ANALYZE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Content-Type: application/json\r\n\r\n".encode() + body


def _together(server: Server, requests: list[bytes]) -> int:
    """Ask all at once on connections of their own, see all answered; how often the model was loaded."""
    with ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        sockets = [
            stack.enter_context(socket.create_connection(address, timeout=PATIENCE_SECONDS)) for _ in requests
        ]
        for tcp, request in zip(sockets, requests, strict=True):
            tcp.sendall(request)
        for tcp in sockets:
            _answered(tcp)
    return server.log.read_text("utf-8").count('"model loaded"')


def measure(console: Console) -> dict[str, str]:
    """Name → figure, with the bar where there is one."""
    package = ensure().int8
    for file in package.iterdir():
        file.read_bytes()
    requests = [_request(text) for text in mixed(POOL)[:200]]
    alive = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with Steps("start", 3, console) as steps:
        livez = _repeat(lambda server, begin: first(server.port, alive, begin))
        steps.done(f"/livez after {livez} s")
        cold = _repeat(lambda server, begin: first(server.port, requests[0], begin))
        steps.done(f"first answer after {cold} s")
        server = Server(ours(package, "start", WARM_UP="false", REQUEST_TIMEOUT_SECONDS="100"))
        try:
            server.wait_for_port()
            loads = _together(server, requests)
        finally:
            server.stop()
        steps.done(f"200 first requests, {loads} load")
    return {
        "/livez after exec, s": _bar(livez, 0.6),
        "first answer from cold, BERT-base int8, s": _bar(cold, 1.5),
        "200 simultaneous first requests: loads of the model": f"{loads}",
    }


def _repeat(time_it: Callable[[Server, float], float]) -> Spread:
    found = []
    for _ in range(TIMES):
        begin = time.monotonic()
        server = Server(ours(ensure().int8, "start", WARM_UP="false"))
        try:
            found.append(time_it(server, begin))
        finally:
            server.stop()
    return Spread.of(found)


def _bar(spread: Spread, bar: float) -> str:
    return f"{spread}, {verdict(spread.median, bar, least=False)}"
