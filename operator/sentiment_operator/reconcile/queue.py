"""A keyed queue: coalesces, runs one pass per key at a time, backs off with jitter."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from prometheus_client import Gauge, Histogram

K = TypeVar("K", bound=Hashable)

DEPTH = Gauge("sentiment_operator_queue_depth", "Keys that wait for a pass and are due")
PASSES = Histogram(
    "sentiment_operator_pass_duration_seconds",
    "Time of one reconcile pass",
    ["result"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
)

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 300.0


def backoff(failures: int, dice: float) -> float:
    """Seconds to wait after so many failures in a row; dice in [0, 1) spreads them by ±50 %."""
    return float(min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 20)) * (0.5 + dice))


class KeyedQueue(Generic[K]):
    """`work(key)` raises to be tried again. Lives in one event loop."""

    def __init__(
        self,
        work: Callable[[K], Awaitable[None]],
        *,
        failed: Callable[[K, Exception, float], None],
        workers: int = 4,
        resync_seconds: float = 600.0,
    ) -> None:
        self._work = work
        self._failed = failed
        self._workers = workers
        self._resync = resync_seconds
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._running: dict[K, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self.alive_at = time.monotonic()

    def add(self, key: K, delay: float = 0.0) -> None:
        """Ask for a pass in `delay` seconds, or sooner if one is already asked for."""
        due = time.monotonic() + delay
        self._due[key] = min(self._due.get(key, due), due)
        self._wake.set()

    def forget(self, key: K) -> None:
        """No more passes for a key that is gone."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    def idle(self) -> bool:
        """Whether nothing runs and nothing is due."""
        now = time.monotonic()
        return not self._running and all(due > now for due in self._due.values())

    async def run(self) -> None:
        """Dispatch until cancelled."""
        try:
            while True:
                self._wake.clear()
                now = self.alive_at = time.monotonic()
                ready = sorted((due, index, key) for index, (key, due) in enumerate(self._due.items())
                               if due <= now and key not in self._running)  # fmt: skip
                DEPTH.set(len(ready))
                for _, _, key in ready[: self._workers - len(self._running)]:
                    del self._due[key]
                    self._running[key] = asyncio.create_task(self._pass(key))
                waiting = [due for key, due in self._due.items() if due > now]
                timeout = min([due - now for due in waiting], default=10.0)
                try:
                    await asyncio.wait_for(self._wake.wait(), min(timeout, 10.0))
                except TimeoutError:
                    continue
        finally:
            for task in self._running.values():
                task.cancel()

    async def _pass(self, key: K) -> None:
        start = time.monotonic()
        try:
            await self._work(key)
        except Exception as error:  # whatever a pass ran into, the queue goes on
            PASSES.labels("error").observe(time.monotonic() - start)
            self._failures[key] = self._failures.get(key, 0) + 1
            delay = backoff(self._failures[key], random.random())
            self._failed(key, error, delay)
            self.add(key, delay)
        else:
            PASSES.labels("success").observe(time.monotonic() - start)
            self._failures.pop(key, None)
            self.add(key, self._resync * random.uniform(0.9, 1.1))
        finally:
            del self._running[key]
            self._wake.set()
