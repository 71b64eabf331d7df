"""One model of the service: its queue, its engine, and when it was used last.

Each has a batcher of its own, so texts of two models never meet in a run.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_service.engine import memory
from sentiment_service.engine.batcher import Answers, Batcher, ClosedError
from sentiment_service.engine.child import PROBE, trim
from sentiment_service.engine.frames import Ids
from sentiment_service.engine.lifecycle import Lifecycle, State
from sentiment_service.engine.plan import width
from sentiment_service.engine.process import Answer, EngineFailedError, EngineProcess, Order
from sentiment_service.logs import log_error, log_event
from sentiment_service.metrics import Metrics, ModelMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentiment_service.engine.package import ModelPackage
    from sentiment_service.settings import Settings

# A run that takes this many times what it should, and some seconds on top, hangs.
_HUNG_FACTOR = 20
_HUNG_SECONDS = 3.0


class PackageChangedError(Exception):
    """The token ids are of another model package than the loaded one: tokenise again."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What every HTTP worker knows of a model without asking."""

    state: State = State.UNLOADED
    reason: str = ""
    """Why requests cannot be answered now; empty when they can, also while unloaded."""
    warm: bool = True
    """False only while a start-up load has not ended yet."""
    package: Path | None = None
    """The loaded model package."""

    @property
    def loaded(self) -> bool:
        return self.state is State.LOADED

    @property
    def able(self) -> bool:
        return self.reason == "" and self.state is not State.CLOSED


class ServedModel:
    """Used from one event loop. `make_room(model)` is awaited before each load, `on_change` called after
    each change of `status`."""

    def __init__(
        self,
        name: str,
        directory: Path,
        settings: Settings,
        threads: int,
        metrics: Metrics,
        *,
        make_room: Callable[[ServedModel], Awaitable[None]],
        on_change: Callable[[], None],
    ) -> None:
        self.name = name
        self.used_at = 0.0
        self.footprint = 0
        """Bytes that its engine needs for itself: as measured last, before that as the package is large."""
        self._directory = directory
        self._settings = settings
        self._threads = threads
        self._make_room = make_room
        self._on_change = on_change
        self._queued_for: Path | None = None
        self._package: Path | None = None
        self._state = State.UNLOADED
        self._suspect: asyncio.Task[None] | None = None
        self._metrics = ModelMetrics(metrics, name, lambda: len(self.batcher))
        self.lifecycle = Lifecycle(
            self._start_engine, idle_seconds=settings.idle_unload_seconds, on_change=self._changed
        )
        self.batcher = Batcher(
            self._run,
            queue_limit=settings.queue_limit,
            max_tokens=settings.max_batch_tokens,
            on_batch=self._metrics.observe_batch,
        )

    @property
    def engine(self) -> EngineProcess | None:
        return self.lifecycle.engine

    @property
    def idle(self) -> bool:
        return self.batcher.idle

    @property
    def status(self) -> ModelStatus:
        lifecycle = self.lifecycle
        package = self._package if lifecycle.state is State.LOADED else None
        return ModelStatus(lifecycle.state, lifecycle.reason, lifecycle.warm, package)

    async def stop(self) -> None:
        if self._suspect is not None:
            self._suspect.cancel()
            await asyncio.gather(self._suspect, return_exceptions=True)
        await self.batcher.stop()
        await self.lifecycle.close()

    async def ensure(self) -> Path:
        with self._used():
            await self.lifecycle.get()
        if (package := self.status.package) is None:  # unloaded again before this task went on
            raise PackageChangedError
        return package

    async def infer(
        self, package: Path, batch: Sequence[Ids], *, bulk: bool, max_batch: int, truncated: int
    ) -> Answers:
        status = self.status
        if status.state is State.CLOSED:
            raise ClosedError
        if package != status.package:
            raise PackageChangedError
        self._metrics.observe_tokenised(len(batch), truncated)
        with self._used():
            return await self.batcher.submit(batch, bulk=bulk, max_batch=max_batch)

    async def unload(self, why: Exception) -> None:
        """End the engine now; what waits is answered with `why`."""
        self.batcher.fail_waiting(why)
        await self.lifecycle.unload()

    def measure(self) -> int:
        """Bytes that the engine needs for itself now; zero while there is none."""
        if self.engine is None:
            return 0
        self.footprint = memory.usage([self.engine.pid]).unreclaimable
        return self.footprint

    @contextmanager
    def _used(self) -> Iterator[None]:
        self.used_at = time.monotonic()
        self.lifecycle.enter()
        try:
            yield
        finally:
            self.used_at = time.monotonic()
            self.lifecycle.leave()

    async def _start_engine(self, on_end: Callable[[str], None]) -> EngineProcess:
        from sentiment_service.engine.package import ModelPackage

        # Resolved once: a symlink to another package version may be switched at any moment.
        package = ModelPackage.read(self._directory.resolve())
        self.footprint = self.footprint or _size(package)
        await self._make_room(self)
        order = Order(
            self._settings.engine,
            package.directory,
            package.expected(),
            self._threads,
            package.manifest.max_tokens,
            package.manifest.hint,
        )
        engine = await EngineProcess.start(order, on_end)
        self.batcher.begin(engine.loaded.parallel, engine.loaded.overhead)
        if package.directory != self._queued_for:
            self.batcher.fail_waiting(PackageChangedError())
        self._queued_for = self._package = package.directory
        return engine

    async def _run(self, batch: Sequence[Ids], columns: int, expected_seconds: float) -> Answer:
        engine = await self.lifecycle.get()
        try:
            answer = await engine.run(batch, columns, _HUNG_SECONDS + _HUNG_FACTOR * expected_seconds)
        except EngineFailedError:
            self._doubt(engine)
            raise
        if not all(map(math.isfinite, (x for row in answer.logits for x in row))):
            self._doubt(engine)
        return answer

    def _doubt(self, engine: EngineProcess) -> None:
        if self._suspect is None:
            self._suspect = asyncio.create_task(self._examine(engine), name="examine-engine")

    async def _examine(self, engine: EngineProcess) -> None:
        """After a failed run or NaN: an engine that does not answer the simplest input either is broken, as
        one whose GPU refuses everything after one fault, and is replaced."""
        try:
            answer = await engine.run([PROBE], width(len(PROBE)), _HUNG_SECONDS)
            if not all(map(math.isfinite, answer.logits[0])):
                engine.kill("the engine answers NaN")
        except EngineFailedError as error:
            engine.kill(f"the engine fails at everything: {error}")
        finally:
            self._suspect = None

    def _changed(self, state: State, reason: str) -> None:
        where = {"model": self.name or str(self._directory)}
        self._metrics.observe_state(self._state, state)
        self._state = state
        if state is State.FAILED:
            log_error("", "model_unavailable", reason, where)
        else:
            device = {} if self.engine is None else {"device": self.engine.loaded.device}
            log_event(f"model {state}", **where, **device)
        if state is State.UNLOADED:
            trim()
        self._on_change()


def _size(package: ModelPackage) -> int:
    return sum(entry["bytes"] for entry in package.expected().values())
