"""Everything behind the HTTP workers: the models, one memory budget, one set of metrics."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from sentiment_service.cpu import usable_threads
from sentiment_service.engine import memory
from sentiment_service.engine.batcher import Answers
from sentiment_service.engine.child import trim
from sentiment_service.engine.frames import Ids
from sentiment_service.engine.lifecycle import ModelUnavailableError, State
from sentiment_service.engine.memory import Action
from sentiment_service.engine.patience import Patience
from sentiment_service.engine.process import EngineProcess
from sentiment_service.engine.served import ModelStatus, ServedModel
from sentiment_service.logs import log_event
from sentiment_service.metrics import Metrics, RequestMetrics
from sentiment_service.settings import Settings

_MEMORY_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Status:
    """What every HTTP worker knows without asking."""

    models: Mapping[str, ModelStatus] = field(default_factory=dict)
    """The default one first."""
    reason: str = ""
    """Why no model is to be asked now; empty when they are."""
    draining: bool = False

    @property
    def default(self) -> ModelStatus:
        return next(iter(self.models.values()), ModelStatus())

    def problem(self, model: str | None = None) -> str:
        """Why the model, else the default one, cannot answer now; empty when it can."""
        asked = self.default if model is None else self.models.get(model, ModelStatus())
        return self.reason or asked.reason or ("" if asked.able else str(asked.state))

    def unready(self, model: str | None = None) -> str:
        """Why requests to the model, else to the default one, are not welcome; empty when they are: also
        while it is unloaded."""
        if self.draining:
            return "draining"
        return self.problem(model) or ("" if self.default.warm else "warming up")

    @property
    def health(self) -> str:
        """healthy, unhealthy (the last load failed, or memory is short) or draining."""
        return "draining" if self.draining else "unhealthy" if self.problem() else "healthy"


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

    async def ensure(self, model: str) -> Path:
        """Load the model unless it is loaded; the package that answers."""

    async def infer(
        self, model: str, package: Path, batch: Sequence[Ids], *, bulk: bool, max_batch: int, truncated: int
    ) -> Answers:
        """The model's answers to every sequence. `truncated` of them were cut by the tokeniser."""

    async def report(self) -> Report: ...

    async def render_metrics(self, *, exemplars: bool) -> bytes:
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
        self._limit = memory.soft_limit(settings.memory_soft_limit_bytes)
        self._low_memory = self._trimmed = False
        self._patience = Patience()
        self._eased = asyncio.Event()
        self._held = 0
        self._watch: asyncio.Task[None] | None = None
        self.metrics = Metrics(self._memory_bytes, lambda: self.status.health == "healthy")
        self._models = {
            name: ServedModel(
                name,
                directory,
                settings,
                settings.inference_threads or usable_threads(),
                self.metrics,
                make_room=self._make_room,
                on_change=self._publish,
            )
            for name, directory in settings.packages.items()
        }
        self.status = Status({name: model.status for name, model in self._models.items()})

    @property
    def engine_sockets(self) -> list[socket.socket]:
        """What a forked process must close."""
        return [engine.sock for engine in self._engines()]

    def start(self) -> None:
        for model in self._models.values():
            model.batcher.start()
        if self._settings.warm_up:
            next(iter(self._models.values())).lifecycle.warm_up()
            self._publish()
        self._watch = asyncio.create_task(self._watch_memory(), name="memory")

    def drain(self) -> None:
        """Not ready any more; everything is still answered."""
        self.status = replace(self.status, draining=True)
        self._on_status(self.status)

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        for model in self._models.values():
            await model.stop()

    async def ensure(self, model: str) -> Path:
        await self._enough_memory()
        return await self._models[model].ensure()

    async def infer(
        self, model: str, package: Path, batch: Sequence[Ids], *, bulk: bool, max_batch: int, truncated: int
    ) -> Answers:
        await self._enough_memory()
        return await self._models[model].infer(
            package, batch, bulk=bulk, max_batch=max_batch, truncated=truncated
        )

    async def report(self) -> Report:
        return Report(self._memory_bytes(), self.metrics.total_requests, self.metrics.average_ms)

    async def render_metrics(self, *, exemplars: bool) -> bytes:
        return self.metrics.render(exemplars=exemplars)

    def _publish(self) -> None:
        """Derive the status from the models and the memory, and tell it."""
        self.status = replace(
            self.status,
            models={name: model.status for name, model in self._models.items()},
            reason=f"memory is above its soft limit of {self._limit} bytes" if self._low_memory else "",
        )
        self._on_status(self.status)

    async def _enough_memory(self) -> None:
        """Stepping out ends the engine as soon as what runs is answered, and is over within seconds: what
        comes meanwhile waits, where it takes little room."""
        if not self._low_memory:
            return
        if self._held >= self._settings.queue_limit:
            raise ModelUnavailableError(self.status.reason)
        self._held += 1
        try:
            if not await self._patience.wait(self._eased):
                raise ModelUnavailableError(self.status.reason)
        finally:
            self._held -= 1

    def _loaded(self) -> list[ServedModel]:
        """The models that have an engine, the least recently used first."""
        loaded = [model for model in self._models.values() if model.engine is not None]
        return sorted(loaded, key=lambda model: model.used_at)

    def _engines(self) -> list[EngineProcess]:
        return [model.engine for model in self._models.values() if model.engine is not None]

    def _memory_bytes(self) -> int:
        return memory.usage([*self._pids(), *(engine.pid for engine in self._engines())]).pss

    def _unreclaimable(self) -> int:
        return memory.usage(self._pids()).unreclaimable + sum(model.measure() for model in self._loaded())

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(_MEMORY_EVERY_SECONDS)
            if self._limit:
                await self.keep_within_memory(self._unreclaimable())

    async def _make_room(self, coming: ServedModel) -> None:
        """Before a model is loaded: unload idle ones, the least recently used first, until it fits."""
        idle = [model for model in self._loaded() if model.idle]
        if not (self._limit and idle):
            return
        # Others that are just being loaded are not measured yet.
        loading = [model for model in self._models.values() if model.lifecycle.state is State.LOADING]
        needed = self._unreclaimable() + sum(model.footprint for model in {*loading, coming})
        for model in idle[: memory.how_many_go(needed - self._limit, [one.footprint for one in idle])]:
            await self._unload(model)

    async def keep_within_memory(self, used: int) -> None:
        loaded = self._loaded()
        idle = [model for model in loaded if model.idle]
        view = memory.View(
            used=used,
            limit=self._limit,
            loaded=bool(loaded),
            idle=bool(idle),
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
            for engine in self._engines():
                engine.trim()
        elif action is Action.UNLOAD:
            await self._unload((idle or loaded)[0])
        else:
            self._step(out=action is Action.STEP_OUT)

    def _step(self, *, out: bool) -> None:
        """Out of readiness, or back."""
        self._low_memory = out
        if out:
            self._patience.begin()
            self._eased.clear()
        else:
            self._eased.set()
        self._publish()

    async def _unload(self, model: ServedModel) -> None:
        await model.unload(ModelUnavailableError("the memory limit is reached; try again"))
