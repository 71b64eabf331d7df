"""A keyed queue: coalesces, runs one pass per key at a time, backs off with jitter."""

import asyncio
import heapq
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from prometheus_client import Histogram

K = TypeVar("K", bound=Hashable)

PASSES = Histogram(
    "sentiment_operator_pass_duration_seconds",
    "Time of one reconcile pass",
    ["result"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
)

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 300.0
_BEAT_SECONDS = 10.0


def backoff(failures: int, dice: float, first: float = FIRST_RETRY_SECONDS) -> float:
    """Seconds to wait after so many failures in a row; dice in [0, 1) spreads them by ±50 %."""
    return float(min(LAST_RETRY_SECONDS, first * 2 ** min(failures - 1, 20)) * (0.5 + dice))


class KeyedQueue(Generic[K]):
    """`work(key)` raises to be tried again, or says after how many seconds it wants another
    pass: None for the next resync, infinity for never.

    Lives in one event loop. Paused until `resume`: keys gather, no pass starts.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        *,
        failed: Callable[[K, Exception, float], None],
        workers: int = 4,
        resync_seconds: float = 600.0,
        first_retry_seconds: float = FIRST_RETRY_SECONDS,
    ) -> None:
        self._work = work
        self._failed = failed
        self._workers = workers
        self._resync = resync_seconds
        self._first_retry = first_retry_seconds
        self._due: dict[K, float] = {}
        # (due, order of arrival, key); an entry that _due no longer agrees with is skipped.
        # What was asked for at once, a new spec, goes before what only tells what became of it.
        self._urgent: list[tuple[float, int, K]] = []
        self._ordinary: list[tuple[float, int, K]] = []
        self._arrivals = 0
        self._failures: dict[K, int] = {}
        self._running: dict[K, asyncio.Task[None]] = {}
        self._started: dict[K, float] = {}
        self._wake = asyncio.Event()
        self._paused = True
        self.beat_at = time.monotonic()

    def add(self, key: K, delay: float = 0.0) -> None:
        """Ask for a pass in `delay` seconds, or sooner if one is already asked for."""
        due = time.monotonic() + delay
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            self._arrivals += 1
            heapq.heappush(self._ordinary if delay else self._urgent, (due, self._arrivals, key))
            self._wake.set()

    def forget(self, key: K) -> None:
        """No more passes for a key that is gone."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    def resume(self) -> None:
        """Start passes."""
        self._paused = False
        self._wake.set()

    def pause(self) -> None:
        """Start no pass; those under way go on."""
        self._paused = True

    def idle(self, within: float = 0.0) -> bool:
        """Whether nothing runs and nothing is due, or becomes due `within` so many seconds."""
        limit = time.monotonic() + within
        return not self._running and all(due > limit for due in self._due.values())

    def depth(self) -> int:
        """Keys that are due and wait."""
        now = time.monotonic()
        return sum(due <= now for due in self._due.values())

    def longest_pass(self) -> float:
        """Seconds that the oldest pass under way has taken so far."""
        return time.monotonic() - min(self._started.values(), default=time.monotonic())

    async def run(self) -> None:
        """Dispatch until cancelled; passes under way are cancelled too."""
        try:
            while True:
                self._wake.clear()
                now = self.beat_at = time.monotonic()
                timeout = _BEAT_SECONDS if self._paused else self._dispatch(now)
                # Not wait_for, which may swallow a cancellation.
                with suppress(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await self._wake.wait()
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def drain(self, seconds: float) -> None:
        """Pause, and wait so long for passes under way to end."""
        self.pause()
        if self._running:
            await asyncio.wait(tuple(self._running.values()), timeout=seconds)

    def _dispatch(self, now: float) -> float:
        """Start what is due and may run; seconds until the next key is due."""
        upcoming = min(self._start_due(heap, now) for heap in (self._urgent, self._ordinary))
        return min(_BEAT_SECONDS, max(0.0, upcoming - now))

    def _start_due(self, heap: list[tuple[float, int, K]], now: float) -> float:
        """When the next of this heap is due; with all workers busy, the end of a pass wakes the loop."""
        held_back = []
        while heap and len(self._running) < self._workers:
            due, order, key = heap[0]
            if self._due.get(key) != due:
                heapq.heappop(heap)
            elif due > now:
                break
            elif key in self._running:  # looked at again when that pass is over
                held_back.append((due, order, heapq.heappop(heap)[2]))
            else:
                heapq.heappop(heap)
                del self._due[key]
                self._started[key] = now
                self._running[key] = asyncio.create_task(self._pass(key))
        upcoming = heap[0][0] if heap and len(self._running) < self._workers else float("inf")
        for entry in held_back:
            heapq.heappush(heap, entry)
        return upcoming

    async def _pass(self, key: K) -> None:
        start = self._started[key]
        try:
            again = await self._work(key)
        except Exception as error:  # whatever a pass ran into, the queue goes on
            PASSES.labels("error").observe(time.monotonic() - start)
            self._failures[key] = self._failures.get(key, 0) + 1
            delay = backoff(self._failures[key], random.random(), self._first_retry)
            self._failed(key, error, delay)
            self.add(key, delay)
        else:
            PASSES.labels("success").observe(time.monotonic() - start)
            self._failures.pop(key, None)
            self.add(key, self._resync * random.uniform(0.9, 1.1) if again is None else again)
        finally:
            del self._running[key], self._started[key]
            self._wake.set()
