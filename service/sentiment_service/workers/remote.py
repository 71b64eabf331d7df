"""The scheduler as an HTTP worker sees it: the same calls, answered by the parent.

Worker to parent: ("call", number, method, arguments, options), ("cancel", number), ("began",),
("ended", endpoint, status, seconds, model, exemplar), ("pong",).
Parent to worker: ("answer", number, result), ("error", number, exception), ("status", status), ("ping",),
("stop",).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sentiment_service.engine.batcher import Answers, ClosedError
from sentiment_service.engine.frames import Ids
from sentiment_service.engine.scheduler import Report, Status
from sentiment_service.workers.channel import Channel


class RemoteScheduler:
    """`on_stop` is called when the parent asks this worker to end, or is gone."""

    def __init__(self, on_stop: Callable[[], None]) -> None:
        self.status = Status()
        self.metrics = self
        self._on_stop = on_stop
        self._channel: Channel | None = None
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count()

    def connect(self, channel: Channel) -> asyncio.Task[None]:
        self._channel = channel
        self._send("pong")  # it has started
        return asyncio.create_task(self._listen(channel), name="parent")

    async def ensure(self, model: str) -> Path:
        package: Path = await self._call("ensure", model)
        return package

    async def infer(
        self, model: str, package: Path, batch: Sequence[Ids], *, bulk: bool, max_batch: int, truncated: int
    ) -> Answers:
        answers: Answers = await self._call(
            "infer", model, package, batch, bulk=bulk, max_batch=max_batch, truncated=truncated
        )
        return answers

    async def report(self) -> Report:
        report: Report = await self._call("report")
        return report

    async def render_metrics(self, *, exemplars: bool) -> bytes:
        text: bytes = await self._call("render_metrics", exemplars=exemplars)
        return text

    def request_began(self) -> None:
        self._send("began")

    def request_ended(
        self, endpoint: str, status: int, seconds: float | None, model: str, exemplar: dict[str, str]
    ) -> None:
        self._send("ended", endpoint, status, seconds, model, exemplar)

    async def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        if self._channel is None:
            raise ClosedError
        number = next(self._numbers)
        future = self._calls[number] = asyncio.get_running_loop().create_future()
        self._send("call", number, method, arguments, options)
        try:
            return await future
        except asyncio.CancelledError:
            self._send("cancel", number)
            raise
        finally:
            del self._calls[number]

    def _send(self, *message: Any) -> None:
        if self._channel is not None:
            self._channel.send(*message)

    async def _listen(self, channel: Channel) -> None:
        while (message := await channel.receive()) is not None:
            match message:
                case ("answer", number, result):
                    if (future := self._calls.get(number)) is not None and not future.done():
                        future.set_result(result)
                case ("error", number, error):
                    if (future := self._calls.get(number)) is not None and not future.done():
                        future.set_exception(error)
                case ("status", status):
                    self.status = status
                case ("ping",):
                    self._send("pong")
                case ("stop",):
                    self._on_stop()
        self._channel = None
        for future in self._calls.values():
            if not future.done():
                future.set_exception(ClosedError())
        self._on_stop()
