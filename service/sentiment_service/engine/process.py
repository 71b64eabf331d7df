"""The handle on one engine process: starts it, asks it, sees when it hangs or dies, ends it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sentiment_service.engine import frames
from sentiment_service.engine.files import Expected
from sentiment_service.engine.frames import Ids, Kind, Logits
from sentiment_service.engine.protocol import ModelLoadError

# Reading a large model from a slow disk takes minutes; a process that hangs for good must be ended too.
_LOAD_SECONDS = 300.0
_PING_EVERY_SECONDS = 2.0
_PONG_WITHIN_SECONDS = 3.0
_TICK_SECONDS = 0.25
_REAP_EVERY_SECONDS = 0.005
# So that glibc returns what a run took, and does not keep it in pieces: 14 to 35 MB of BERT-base. A run
# takes no longer for it.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}


# A process that was started before anybody could say what it is to load.
_spare: tuple[subprocess.Popen[bytes], socket.socket] | None = None


class EngineFailedError(Exception):
    """The engine failed while it worked on this; the message says how."""


class Order(NamedTuple):
    """What an engine process is told to load."""

    engine: str
    directory: Path
    files: dict[str, Expected]
    threads: int
    max_tokens: int
    """The longest row that the model takes."""
    precision: str
    """What it computes in: f32; else what the CPU is quickest with."""


class Loaded(NamedTuple):
    """What a loaded engine tells of itself, as `Engine` has it."""

    parallel: int
    device: str
    overhead: int


class Answer(NamedTuple):
    seconds: float
    logits: list[Logits]


class _Run(NamedTuple):
    """What the engine works on, and until when it may, by `EngineProcess`'s clock."""

    future: asyncio.Future[Answer]
    limit: float
    until: float


class EngineProcess:
    """Used from one event loop. `on_end(reason)` is called once, when a loaded engine ends unasked."""

    def __init__(self, popen: subprocess.Popen[bytes], sock: socket.socket) -> None:
        self.sock = sock
        self.loaded = Loaded(parallel=1, device="", overhead=0)
        self._popen = popen
        self._runs: dict[int, _Run] = {}
        self._number = 0
        self._clock = 0.0
        self._pinged: float | None = None
        self._ponged = 0.0
        self._why = ""
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    async def start(cls, order: Order, on_end: Callable[[str], None]) -> EngineProcess:
        """Returns when the model is loaded and answers; raises `ModelLoadError` when it does not."""
        global _spare
        spare, _spare = _spare, None
        popen, ours = spare or _spawn()
        engine = cls(popen, ours)
        try:
            await engine._load(order, on_end)
        except BaseException:
            await engine.stop()
            raise
        return engine

    @property
    def pid(self) -> int:
        return self._popen.pid

    async def run(self, batch: Sequence[Ids], width: int, limit: float) -> Answer:
        """The logits of the sequences, padded to `width` tokens; an engine that needs more than `limit`
        seconds is taken for hung."""
        if self._why:
            raise EngineFailedError(self._why)
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._runs[number] = _Run(future, limit, self._clock + limit)
        try:
            self._send(Kind.RUN, frames.pack_run(number, batch, width))
            return await future
        finally:
            self._runs.pop(number, None)

    def trim(self) -> None:
        self._send(Kind.TRIM)

    async def stop(self) -> None:
        """End the process; all its memory is free when this returns."""
        self._stopping = True
        self.kill("the engine was stopped")
        await self._reap()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._finish()

    def kill(self, reason: str) -> None:
        """End a process that cannot be trusted; `on_end` follows."""
        self._why = self._why or reason
        if self._popen.poll() is None:
            self._popen.kill()

    async def _load(self, order: Order, on_end: Callable[[str], None]) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self.sock)
        message = json.dumps(order._asdict(), default=str)
        self._send(Kind.LOAD, message.encode())
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                answer = await frames.read(reader)
        except TimeoutError:
            raise ModelLoadError(f"the model was not loaded within {_LOAD_SECONDS:.0f} s") from None
        if answer is None:
            await self._reap()
            raise ModelLoadError(f"the engine ended while it loaded the model: {self._exit()}")
        kind, payload = answer
        if kind is not Kind.LOADED:
            raise ModelLoadError(payload.decode())
        self.loaded = Loaded(**json.loads(payload))
        self._tasks = [
            asyncio.create_task(self._read(reader, on_end), name="engine-answers"),
            asyncio.create_task(self._watch(), name="engine-watch"),
        ]

    async def _read(self, reader: asyncio.StreamReader, on_end: Callable[[str], None]) -> None:
        while (received := await frames.read(reader)) is not None:
            kind, payload = received
            if kind is Kind.ANSWER:
                number, seconds, logits = frames.unpack_answer(payload)
                if (run := self._runs.get(number)) is not None and not run.future.done():
                    run.future.set_result(Answer(seconds, logits))
            elif kind is Kind.ERROR:
                number, message = frames.unpack_error(payload)
                if (run := self._runs.get(number)) is not None and not run.future.done():
                    run.future.set_exception(EngineFailedError(message))
            elif kind is Kind.PONG:
                self._pinged, self._ponged = None, self._clock
        self.kill("")
        await self._reap()
        self._why = self._why or f"the engine ended: {self._exit()}"
        if not self._stopping:
            self._finish()
            on_end(self._why)

    async def _watch(self) -> None:
        """End an engine that hangs.

        Time is counted in turns of this loop. What stops this process (a paused container, a suspended
        machine) stops the engine as well, and says nothing about it.
        """
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._clock += _TICK_SECONDS
            for run in self._runs.values():
                if self._clock > run.until:
                    self.kill(f"the engine did not answer within {run.limit:.1f} s")
            if self._pinged is None:
                if self._clock - self._ponged >= _PING_EVERY_SECONDS:
                    self._pinged = self._clock
                    self._send(Kind.PING)
            elif self._clock - self._pinged > _PONG_WITHIN_SECONDS:
                self.kill(f"the engine gave no sign of life for {_PONG_WITHIN_SECONDS:.0f} s")

    async def _reap(self) -> None:
        while self._popen.poll() is None:  # noqa: ASYNC110 the system has no event for it before pidfd
            await asyncio.sleep(_REAP_EVERY_SECONDS)

    def _exit(self) -> str:
        code = self._popen.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _finish(self) -> None:
        """Answer what still runs, and close what is open."""
        for run in list(self._runs.values()):
            if not run.future.done():
                run.future.set_exception(EngineFailedError(self._why))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if self._writer is not None:
            self._writer.close()
        self.sock.close()

    def _send(self, kind: Kind, payload: bytes = b"") -> None:
        assert self._writer is not None
        if not self._writer.is_closing():  # else it has ended, and all that wait are told when it is reaped
            self._writer.write(frames.frame(kind, payload))


def start_ahead() -> None:
    """Start the process of the next OpenVINO engine now: it imports while its load is not yet asked for."""
    global _spare
    _spare = _spare or _spawn("openvino")


def _spawn(*imports: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A process, and our end of the socket that it listens to and ends with."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        popen = subprocess.Popen(  # noqa: S603 our own program
            [sys.executable, "-P", "-m", "sentiment_service.engine.child", str(theirs.fileno()), *imports],
            pass_fds=[theirs.fileno()],
            env=os.environ | _ALLOCATOR,
            stdin=subprocess.DEVNULL,
        )
    return popen, ours
