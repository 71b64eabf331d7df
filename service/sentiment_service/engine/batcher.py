"""Groups waiting sequences into engine runs: bounded, by length, never waiting when idle."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import chain, islice

from sentiment_service.engine.plan import Candidate, choose

Ids = tuple[int, ...]
Logits = tuple[float, float]
Run = Callable[[Sequence[Ids]], list[Logits]]

# Only so many waiting sequences are looked at for one batch, so that a decision stays cheap.
_WINDOW = 512


class QueueFullError(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__("the queue is full")
        self.retry_after = retry_after


class ClosedError(Exception):
    """The service is stopping."""


class _Work:
    """One distinct sequence and everybody who waits for its answer."""

    __slots__ = ("bulk", "ids", "max_batch", "since", "waiters")

    def __init__(self, ids: Ids, bulk: bool, max_batch: int) -> None:
        self.ids = ids
        self.bulk = bulk
        self.max_batch = max_batch
        self.since = time.perf_counter()
        self.waiters: list[asyncio.Future[Logits]] = []

    def wanted(self) -> bool:
        return any(not waiter.done() for waiter in self.waiters)

    def resolve(self, logits: Logits) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(logits)

    def fail(self, error: Exception) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(error)


class Batcher:
    def __init__(
        self,
        executor: Executor,
        *,
        queue_limit: int,
        max_tokens: int,
        on_batch: Callable[[int, list[float]], None],
    ) -> None:
        self._executor = executor
        self._queue_limit = queue_limit
        self._max_tokens = max_tokens
        self._on_batch = on_batch
        self._interactive: dict[Ids, _Work] = {}
        self._bulk: dict[Ids, _Work] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._run: Run | None = None
        self._seconds_per_token = 0.0

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def start(self) -> None:
        self._task = asyncio.create_task(self._loop(), name="batcher")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for work in self._all():
            work.fail(ClosedError())
        self._interactive.clear()
        self._bulk.clear()

    async def submit(self, run: Run, batch: Sequence[Ids], *, bulk: bool, max_batch: int) -> list[Logits]:
        """Answer every sequence, in order. `run` is the loaded model's; one model serves at a time."""
        if self._task is None:
            raise ClosedError
        new = {ids for ids in batch if ids not in self._interactive and ids not in self._bulk}
        if len(self) + len(new) > self._queue_limit:
            raise QueueFullError(self._retry_after())
        self._run = run
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Logits]] = []
        for ids in batch:
            future: asyncio.Future[Logits] = loop.create_future()
            self._enqueue(ids, bulk, max_batch).waiters.append(future)
            futures.append(future)
        self._wake.set()
        try:
            # Not return_exceptions: the first failure ends the wait, and the rest is dropped below.
            return await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.cancel()

    def _enqueue(self, ids: Ids, bulk: bool, max_batch: int) -> _Work:
        """The work that answers `ids`; one that already waits is joined, and promoted if need be."""
        work = self._interactive.get(ids)
        if work is None:
            work = self._bulk.get(ids)
            if work is not None and not bulk:
                work = self._interactive[ids] = self._bulk.pop(ids)
        if work is None:
            work = _Work(ids, bulk, max_batch)
            (self._bulk if bulk else self._interactive)[ids] = work
        return work

    def _all(self) -> Iterator[_Work]:
        return chain(self._interactive.values(), self._bulk.values())

    def _take(self) -> list[_Work]:
        """Remove the next batch from the queue, dropping what nobody waits for any more."""
        for queue in (self._interactive, self._bulk):
            for ids in [ids for ids, work in queue.items() if not work.wanted()]:
                del queue[ids]
        window = list(islice(self._all(), _WINDOW))
        if not window:
            return []
        picks = choose([Candidate(len(work.ids), work.max_batch) for work in window], self._max_tokens)
        batch = [window[index] for index in picks]
        for work in batch:
            if self._interactive.pop(work.ids, None) is None:
                del self._bulk[work.ids]
        return batch

    async def _loop(self) -> None:
        while True:
            await self._wake.wait()
            batch = self._take()
            if not batch:
                self._wake.clear()
                continue
            await self._execute(batch)

    async def _execute(self, batch: list[_Work]) -> None:
        assert self._run is not None
        begin = time.perf_counter()
        self._on_batch(len(batch), [begin - work.since for work in batch])
        ids = [work.ids for work in batch]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._executor, self._run, ids)
        except asyncio.CancelledError:
            for work in batch:
                work.fail(ClosedError())
            raise
        except Exception as error:  # whatever the engine raised is the answer to these requests only
            for work in batch:
                work.fail(error)
            return
        self._measure(time.perf_counter() - begin, sum(map(len, ids)))
        for work, logits in zip(batch, answers, strict=True):
            work.resolve(logits)

    def _measure(self, seconds: float, tokens: int) -> None:
        latest = seconds / max(1, tokens)
        old = self._seconds_per_token
        self._seconds_per_token = latest if old == 0 else 0.8 * old + 0.2 * latest

    def _retry_after(self) -> int:
        """Seconds until about half of what waits is answered, from the measured speed."""
        waiting = sum(len(work.ids) for work in self._all())
        return max(1, min(60, math.ceil(waiting * self._seconds_per_token / 2)))
