"""Loads the model once for all who ask, unloads it when idle, and says what state it is in."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from sentiment_service.engine.batcher import ClosedError

if TYPE_CHECKING:
    from sentiment_service.engine.model import LoadedModel

_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 30.0


class State(StrEnum):
    UNLOADED = "unloaded"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"
    CLOSED = "closed"


class ModelUnavailableError(Exception):
    """The last load failed; the message is the reason."""


class Lifecycle:
    """Used from the event loop only; `loader` and `close` run in the executor."""

    def __init__(
        self,
        loader: Callable[[], LoadedModel],
        executor: Executor,
        *,
        idle_seconds: float,
        on_change: Callable[[State, str], None],
        first_retry_seconds: float = _FIRST_RETRY_SECONDS,
    ) -> None:
        self._loader = loader
        self._executor = executor
        self._idle_seconds = idle_seconds
        self._on_change = on_change
        self._first_retry = self._next_retry = first_retry_seconds
        self._model: LoadedModel | None = None
        self._load: asyncio.Task[LoadedModel] | None = None
        self._users = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unloading: asyncio.Task[None] | None = None
        self._warming = False
        self.state = State.UNLOADED
        self.reason = ""

    @property
    def loaded(self) -> bool:
        return self.state is State.LOADED

    @property
    def warm(self) -> bool:
        """False only while a start-up load has not ended yet."""
        return not self._warming

    @property
    def able(self) -> bool:
        """True when a request sent now can be expected to be answered: also while unloaded."""
        return self.reason == "" and self.state is not State.CLOSED

    def warm_up(self) -> None:
        """Load now, in the background."""
        self._warming = True
        self._ensure()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[LoadedModel]:
        """The model, loaded first if need be, and not unloaded before the block ends."""
        if self.state is State.CLOSED:
            raise ClosedError
        self._users += 1
        self._cancel_timer()
        try:
            # Shielded: one caller that gives up must not end the load the others wait for.
            model = self._model
            if model is None:
                model = await asyncio.shield(self._ensure())
            yield model
        finally:
            self._users -= 1
            self._start_idle_timer()

    async def close(self) -> None:
        self._cancel_timer()
        pending = [task for task in (self._load, self._unloading) if task is not None]
        await asyncio.gather(*pending, return_exceptions=True)
        self._cancel_timer()
        await self._unload(State.CLOSED)

    def _ensure(self) -> asyncio.Task[LoadedModel]:
        if self._load is None:
            self._cancel_timer()
            self._load = asyncio.create_task(self._do_load(), name="load-model")
            self._load.add_done_callback(_retrieve)
        return self._load

    async def _do_load(self) -> LoadedModel:
        self._set(State.LOADING, self.reason)
        try:
            model = await asyncio.get_running_loop().run_in_executor(self._executor, self._loader)
        except Exception as error:
            self._set(State.FAILED, str(error) or type(error).__name__)
            self._retry_later()
            raise ModelUnavailableError(self.reason) from error
        finally:
            self._load = None
            self._warming = False
        self._model = model
        self._next_retry = self._first_retry
        self._set(State.LOADED, "")
        self._start_idle_timer()
        return model

    def _retry_later(self) -> None:
        """A pod that is not ready gets no requests, so it must try again by itself."""
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(self._next_retry, self._ensure)
        self._next_retry = min(self._next_retry * 2, _LAST_RETRY_SECONDS)

    def _start_idle_timer(self) -> None:
        if self._users == 0 and self.loaded and self._idle_seconds > 0:
            self._cancel_timer()
            self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._idle)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _idle(self) -> None:
        self._timer = None
        if self._users == 0 and self.loaded:
            self._unloading = asyncio.create_task(self._unload(State.UNLOADED), name="unload-model")

    async def _unload(self, state: State) -> None:
        model, self._model = self._model, None
        self._set(state, "")
        if model is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, _release, model)

    def _set(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
        self._on_change(state, reason)


def _retrieve(task: asyncio.Task[LoadedModel]) -> None:
    """A failed load that nobody waited for (a warm-up, a retry) is told by its state alone."""
    if not task.cancelled():
        task.exception()


def _release(model: LoadedModel) -> None:
    model.close()
    gc.collect()
    # glibc keeps freed arenas otherwise; other C libraries have no such call.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
