"""Loads the model once for all who ask, unloads it when idle, replaces a dead engine, says its state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

from sentiment_service.engine.batcher import ClosedError
from sentiment_service.engine.patience import Patience
from sentiment_service.engine.process import EngineProcess

_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 10.0
# An engine that lived shorter than this was no success.
_YOUNG_SECONDS = 5.0

# Starts an engine; the argument is what to call with the reason when it ends unasked.
Start = Callable[[Callable[[str], None]], Awaitable[EngineProcess]]


class State(StrEnum):
    UNLOADED = "unloaded"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"
    CLOSED = "closed"


class ModelUnavailableError(Exception):
    """There is no model to answer with; the message is the reason."""


class Lifecycle:
    """Used from one event loop. `reason` is why requests cannot be answered now, empty when they can."""

    def __init__(
        self,
        start: Start,
        *,
        idle_seconds: float,
        on_change: Callable[[State, str], None],
    ) -> None:
        self._start = start
        self._idle_seconds = idle_seconds
        self._on_change = on_change
        self._next_retry = _FIRST_RETRY_SECONDS
        self._engine: EngineProcess | None = None
        self._load: asyncio.Task[EngineProcess] | None = None
        self._since = 0.0
        self._patience = Patience()
        self._turn = asyncio.Event()
        self._users = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unloading: asyncio.Task[None] | None = None
        self._warming = False
        self.state = State.UNLOADED
        self.reason = ""

    @property
    def engine(self) -> EngineProcess | None:
        return self._engine

    @property
    def warm(self) -> bool:
        """False only while a start-up load has not ended yet."""
        return not self._warming

    def warm_up(self) -> None:
        """Load now, in the background."""
        self._warming = True
        self._ensure()

    async def get(self) -> EngineProcess:
        """The loaded engine. After a failed load the next try, which comes by itself, is waited for only
        while the patience lasts."""
        while self._engine is None:
            if self.state is State.CLOSED:
                raise ClosedError
            if self.state is not State.FAILED or self._load is not None:
                try:
                    # Shielded: one caller that gives up must not end the load the others wait for.
                    return await asyncio.shield(self._ensure())
                except ModelUnavailableError:
                    if not self._patience.left:
                        raise
            elif not await self._patience.wait(self._turn):
                raise ModelUnavailableError(self.reason)
        return self._engine

    def enter(self) -> None:
        """Somebody uses the model: it stays until `leave`."""
        self._users += 1
        if self.state is State.LOADED:
            self._cancel_timer()

    def leave(self) -> None:
        self._users -= 1
        self._start_idle_timer()

    async def unload(self) -> None:
        """End the engine, whoever uses it."""
        if self.state is State.LOADED:
            await self._unload(State.UNLOADED)

    async def close(self) -> None:
        self._cancel_timer()
        if self._load is not None:
            self._load.cancel()
        pending = [task for task in (self._load, self._unloading) if task is not None]
        await asyncio.gather(*pending, return_exceptions=True)
        self._cancel_timer()
        await self._unload(State.CLOSED)

    def _ensure(self) -> asyncio.Task[EngineProcess]:
        if self._load is None:
            self._cancel_timer()
            self._load = asyncio.create_task(self._do_load(), name="load-model")
            self._load.add_done_callback(_retrieve)
        return self._load

    async def _do_load(self) -> EngineProcess:
        self._set(State.LOADING, self.reason)
        try:
            engine = await self._start(self._ended)
        except Exception as error:
            self._warming = False
            self._fail(f"the model cannot be loaded: {str(error) or type(error).__name__}")
            self._retry_later()
            raise ModelUnavailableError(self.reason) from error
        finally:
            self._load = None
        self._warming = False
        self._engine = engine
        self._since = time.monotonic()
        self._set(State.LOADED, "")
        self._start_idle_timer()
        return engine

    def _ended(self, reason: str) -> None:
        """The loaded engine is dead or was killed for hanging: it is replaced, at once if it lived long."""
        self._engine = None
        self._fail(reason)
        if time.monotonic() - self._since > _YOUNG_SECONDS:
            self._next_retry = _FIRST_RETRY_SECONDS
            self._ensure()
        else:
            self._retry_later()

    def _retry_later(self) -> None:
        """A pod that is not ready gets no requests, so it must try again by itself."""
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(self._next_retry, self._ensure)
        self._next_retry = min(self._next_retry * 2, _LAST_RETRY_SECONDS)

    def _start_idle_timer(self) -> None:
        if self._users == 0 and self.state is State.LOADED and self._idle_seconds > 0:
            self._cancel_timer()
            self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._idle)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _idle(self) -> None:
        self._timer = None
        if self._users == 0 and self.state is State.LOADED:
            self._unloading = asyncio.create_task(self._unload(State.UNLOADED), name="unload-model")

    async def _unload(self, state: State) -> None:
        engine, self._engine = self._engine, None
        self._set(state, "")
        if engine is not None:
            await engine.stop()

    def _fail(self, reason: str) -> None:
        if self._since and not self.reason:  # all was well until now
            self._patience.begin()
        self._set(State.FAILED, reason)

    def _set(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
        self._turn.set()
        self._turn = asyncio.Event()
        self._on_change(state, reason)


def _retrieve(task: asyncio.Task[EngineProcess]) -> None:
    """A failed load that nobody waited for (a warm-up, a retry) is told by its state alone."""
    if not task.cancelled():
        task.exception()
