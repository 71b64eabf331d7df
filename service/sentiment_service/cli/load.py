"""The load generator: one event loop, raw sockets, requests rendered beforehand.

`python -m sentiment_service.cli.load` reads a job as JSON from standard input and writes what it saw to
standard output. It runs in a process of its own on the same cores as the server; the share of them that it
takes is part of the answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import httptools
import uvloop

# A server that answers three texts a second needs this long for what 128 connections have asked.
_LAST_ANSWERS_SECONDS = 60


@dataclass(frozen=True)
class Job:
    """What to send. `rate` 0: closed loop, each connection asks again once it has its answer. Otherwise an
    open loop: Poisson arrivals at `rate` a second, and latency counts from when a request was due.

    What is under way at the end is waited for and not counted: no server is left with work that nobody wants,
    which would be in the way of what is measured next.
    """

    port: int
    path: str
    bodies: list[str]
    connections: int
    seconds: float
    warm_seconds: float = 0.0
    rate: float = 0.0
    seed: int = 1


@dataclass(frozen=True)
class Seen:
    """Answers after the warm-up: index of the body and latency in ms of each; `failed` got no 2xx answer."""

    answers: list[tuple[int, float]]
    failed: int
    first_failure: str
    seconds: float
    cpu_share: float
    """CPU seconds of this client per second."""

    @property
    def latencies(self) -> list[float]:
        return [latency for _, latency in self.answers]


def send(job: Job) -> Seen:
    """Run the job in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "sentiment_service.cli.load"],
        input=json.dumps(asdict(job)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Seen(**json.loads(done.stdout))


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._transport: Any = None
        self._parser: Any = None
        self._body = b""
        self._index = -1
        self._since = 0.0

    async def ask(self, index: int, since: float) -> None:
        self._index, self._since = index, since
        if self._transport is None:
            loop = asyncio.get_running_loop()
            try:
                await loop.create_connection(lambda: self, "127.0.0.1", self._load.job.port)
            except OSError as error:
                # A server that is gone is asked again, but not as fast as it refuses.
                await asyncio.sleep(0.1)
                self._finish(f"no connection: {error}")
                return
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._transport.write(self._load.requests[index])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self._transport.close()
            self._transport = None
        self._finish("" if 200 <= status < 300 else f"{status} {self._body[:200]!r}")

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._transport = None
            if self._index >= 0:
                self._finish(f"connection lost: {error}")

    def _finish(self, failure: str) -> None:
        index, self._index = self._index, -1
        self._load.done(self, index, self._since, failure)


class _Load:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.requests = [_render(job, body.encode()) for body in job.bodies]
        self._next = 0
        self._answers: list[tuple[int, float]] = []
        self._failures: list[str] = []
        self._idle: deque[_Connection] = deque(_Connection(self) for _ in range(job.connections))
        self._waiting: deque[tuple[int, float]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._measure_from = 0.0
        self._stopped = False

    def done(self, connection: _Connection, index: int, since: float, failure: str) -> None:
        now = time.perf_counter()
        if self._stopped:
            self._idle.append(connection)
            return
        if failure:
            self._failures.append(failure)
        elif (since if self.job.rate else now) >= self._measure_from:
            self._answers.append((index, (now - since) * 1000))
        if self.job.rate == 0:
            self._start(connection, self._take(), now)
        elif self._waiting:
            self._start(connection, *self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _take(self) -> int:
        self._next += 1
        return (self._next - 1) % len(self.requests)

    def _start(self, connection: _Connection, index: int, since: float) -> None:
        task = asyncio.create_task(connection.ask(index, since))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> Seen:
        begin = time.perf_counter()
        self._measure_from = begin + self.job.warm_seconds
        end = self._measure_from + self.job.seconds
        if self.job.rate == 0:
            while self._idle:
                self._start(self._idle.popleft(), self._take(), time.perf_counter())
            await asyncio.sleep(self._measure_from - time.perf_counter())
            cpu = _cpu()
            await asyncio.sleep(end - time.perf_counter())
        else:
            cpu = _cpu()
            await self._arrivals(begin, end)
        seconds = time.perf_counter() - (self._measure_from if self.job.rate == 0 else begin)
        share = (_cpu() - cpu) / seconds
        self._stopped = True
        await self._quiet(_LAST_ANSWERS_SECONDS)
        first = self._failures[0] if self._failures else ""
        return Seen(self._answers, len(self._failures), first, seconds, share)

    async def _arrivals(self, begin: float, end: float) -> None:
        chance = random.Random(self.job.seed)
        due = begin
        sent = 0
        while (due := due + chance.expovariate(self.job.rate)) < end:
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            sent += due >= self._measure_from
            # With no connection free the request waits here, and its latency still counts from `due`.
            if self._idle:
                self._start(self._idle.popleft(), self._take(), due)
            else:
                self._waiting.append((self._take(), due))
        if not await self._quiet(_LAST_ANSWERS_SECONDS):
            missing = self.job.connections - len(self._idle)
            self._failures.append(f"{missing} answers missing after {_LAST_ANSWERS_SECONDS} s")

    async def _quiet(self, seconds: float) -> bool:
        """Whether within so long nothing is under way any more."""
        end = time.perf_counter() + seconds
        while len(self._idle) < self.job.connections:
            if time.perf_counter() > end:
                return False
            await asyncio.sleep(0.01)
        return True


def _render(job: Job, body: bytes) -> bytes:
    head = (
        f"POST {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _main() -> None:
    json.dump(asdict(await _Load(Job(**json.load(sys.stdin))).run()), sys.stdout)


if __name__ == "__main__":
    uvloop.run(_main())
