"""Everything behind the HTTP workers: one queue, one engine, one memory budget, one set of metrics."""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sentiment_service.cpu import usable_threads
from sentiment_service.engine import memory
from sentiment_service.engine.batcher import Answers, Batcher, ClosedError
from sentiment_service.engine.child import PROBE, trim
from sentiment_service.engine.frames import Ids
from sentiment_service.engine.lifecycle import Lifecycle, ModelUnavailableError, State
from sentiment_service.engine.memory import Action
from sentiment_service.engine.process import Answer, EngineFailedError, EngineProcess, Order
from sentiment_service.logs import log_error, log_event
from sentiment_service.metrics import Metrics, RequestMetrics
from sentiment_service.settings import Settings

_MEMORY_EVERY_SECONDS = 1.0
# A run that takes this many times what it should, and some seconds on top, hangs.
_HUNG_FACTOR = 20
_HUNG_SECONDS = 3.0


class PackageChangedError(Exception):
    """The token ids are of another model package than the loaded one: tokenise again."""


@dataclass(frozen=True, slots=True)
class Status:
    """What every HTTP worker knows without asking."""

    state: State = State.UNLOADED
    reason: str = ""
    """Why requests cannot be answered now; empty when they can, also while unloaded."""
    warm: bool = True
    """False only while a start-up load has not ended yet."""
    draining: bool = False
    package: Path | None = None
    """The loaded model package."""

    @property
    def loaded(self) -> bool:
        return self.state is State.LOADED

    @property
    def able(self) -> bool:
        return self.reason == "" and self.state is not State.CLOSED


@dataclass(frozen=True, slots=True)
class Report:
    """Figures over all processes of the service."""

    memory_bytes: int
    total_requests: int
    average_ms: float


class Scheduling(Protocol):
    """What an HTTP worker needs; the scheduler itself, or a connection to it."""

    @property
    def status(self) -> Status: ...

    @property
    def metrics(self) -> RequestMetrics: ...

    async def ensure(self) -> Path:
        """Load the model unless it is loaded; the package that answers."""

    async def infer(
        self, package: Path, batch: Sequence[Ids], *, bulk: bool, max_batch: int, truncated: int
    ) -> Answers:
        """The answers to every sequence. `truncated` of them were cut by the tokeniser."""

    async def report(self) -> Report: ...

    async def render_metrics(self) -> bytes:
        """Prometheus text format."""


class Scheduler:
    """Used from one event loop. `on_status` is told of each change, `pids` are the HTTP processes."""

    def __init__(
        self,
        settings: Settings,
        *,
        pids: Callable[[], Iterable[int]] = lambda: [os.getpid()],
        on_status: Callable[[Status], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._pids = pids
        self._on_status = on_status
        self._threads = settings.inference_threads or usable_threads()
        self._limit = memory.soft_limit(settings.memory_soft_limit_bytes)
        self._low_memory = self._trimmed = False
        self._queued_for: Path | None = None
        self._watch: asyncio.Task[None] | None = None
        self._suspect: asyncio.Task[None] | None = None
        self.status = Status()
        self.metrics = Metrics(queue_length=lambda: len(self.batcher), memory_bytes=self._memory_bytes)
        self.lifecycle = Lifecycle(
            self._start_engine, idle_seconds=settings.idle_unload_seconds, on_change=self._changed
        )
        self.batcher = Batcher(
            self._run,
            queue_limit=settings.queue_limit,
            max_tokens=settings.max_batch_tokens,
            on_batch=self.metrics.observe_batch,
        )

    @property
    def engine_socket(self) -> socket.socket | None:
        """What a forked process must close."""
        return self.lifecycle.engine.sock if self.lifecycle.engine else None

    def start(self) -> None:
        self.batcher.start()
        if self._settings.warm_up:
            self.lifecycle.warm_up()
            self._publish()
        self._watch = asyncio.create_task(self._watch_memory(), name="memory")

    def drain(self) -> None:
        """Not ready any more; everything is still answered."""
        self.status = replace(self.status, draining=True)
        self._on_status(self.status)

    async def stop(self) -> None:
        for task in (self._watch, self._suspect):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self.batcher.stop()
        await self.lifecycle.close()

    async def ensure(self) -> Path:
        self._refuse_without_memory()
        self.lifecycle.enter()
        try:
            await self.lifecycle.get()
        finally:
            self.lifecycle.leave()
        if self.status.package is None:  # unloaded again before this task went on
            raise PackageChangedError
        return self.status.package

    async def infer(
        self, package: Path, batch: Sequence[Ids], *, bulk: bool, max_batch: int, truncated: int
    ) -> Answers:
        self._refuse_without_memory()
        if self.status.state is State.CLOSED:
            raise ClosedError
        if package != self.status.package:
            raise PackageChangedError
        self.metrics.observe_tokenised(len(batch), truncated)
        self.lifecycle.enter()
        try:
            return await self.batcher.submit(batch, bulk=bulk, max_batch=max_batch)
        finally:
            self.lifecycle.leave()

    async def report(self) -> Report:
        return Report(self._memory_bytes(), self.metrics.total_requests, self.metrics.average_ms)

    async def render_metrics(self) -> bytes:
        return self.metrics.render()

    async def _start_engine(self, on_end: Callable[[str], None]) -> EngineProcess:
        from sentiment_service.engine.package import ModelPackage

        # Resolved once: a symlink to another package version may be switched at any moment.
        package = ModelPackage.read(self._settings.package_dir.resolve())
        order = Order(
            self._settings.engine,
            package.directory,
            package.expected(),
            self._threads,
            package.manifest.max_tokens,
            package.manifest.hint,
        )
        engine = await EngineProcess.start(order, on_end)
        self.batcher.parallel = engine.parallel
        if package.directory != self._queued_for:
            self.batcher.fail_waiting(PackageChangedError())
        self._queued_for = package.directory
        self.status = replace(self.status, package=package.directory)
        return engine

    async def _run(self, batch: Sequence[Ids], expected_seconds: float) -> Answer:
        engine = await self.lifecycle.get()
        answer = await engine.run(batch, _HUNG_SECONDS + _HUNG_FACTOR * expected_seconds)
        if self._suspect is None and not all(map(math.isfinite, (x for row in answer.logits for x in row))):
            self._suspect = asyncio.create_task(self._examine(engine), name="examine-engine")
        return answer

    async def _examine(self, engine: EngineProcess) -> None:
        """After NaN: an engine that answers it for the simplest input too is broken, and is replaced."""
        try:
            with suppress(EngineFailedError):
                answer = await engine.run([PROBE], _HUNG_SECONDS)
                if all(map(math.isfinite, answer.logits[0])):
                    return
            engine.kill("the engine answers NaN")
        finally:
            self._suspect = None

    def _changed(self, state: State, reason: str) -> None:
        name = str(self._settings.package_dir)
        self.metrics.observe_state(self.status.state, state)
        if state is State.FAILED:
            log_error("", "model_unavailable", reason, {"model": name})
        else:
            log_event(f"model {state}", model=name)
        if state is State.UNLOADED:
            trim()
        self._publish()

    def _publish(self) -> None:
        """Derive the status from the lifecycle and the memory, and tell it."""
        lifecycle = self.lifecycle
        reason = lifecycle.reason
        if self._low_memory and not reason:
            reason = f"memory is above its soft limit of {self._limit} bytes"
        self.status = replace(
            self.status,
            state=lifecycle.state,
            reason=reason,
            warm=lifecycle.warm,
            package=self.status.package if lifecycle.state is State.LOADED else None,
        )
        self._on_status(self.status)

    def _refuse_without_memory(self) -> None:
        if self._low_memory:
            raise ModelUnavailableError(self.status.reason)

    def _processes(self) -> list[int]:
        engine = self.lifecycle.engine
        return [*self._pids(), *([engine.pid] if engine else [])]

    def _memory_bytes(self) -> int:
        return memory.usage(self._processes()).pss

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(_MEMORY_EVERY_SECONDS)
            if self._limit:
                await self._keep_within_memory(memory.usage(self._processes()).unreclaimable)

    async def _keep_within_memory(self, used: int) -> None:
        view = memory.View(
            used=used,
            limit=self._limit,
            loaded=self.lifecycle.engine is not None,
            idle=self.batcher.idle,
            trimmed=self._trimmed,
            out=self._low_memory,
        )
        action = memory.decide(view)
        self._trimmed = used > self._limit
        if action is Action.NONE:
            return
        log_event(f"memory: {action}", used_bytes=used, soft_limit_bytes=self._limit)
        if action is Action.TRIM:
            trim()
            if self.lifecycle.engine is not None:
                self.lifecycle.engine.trim()
        elif action is Action.UNLOAD:
            self.batcher.fail_waiting(ModelUnavailableError("the memory limit is reached; try again"))
            await self.lifecycle.unload()
        else:
            self._low_memory = action is Action.STEP_OUT
            self._publish()
