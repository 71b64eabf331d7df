"""Groups waiting sequences into engine runs: bounded, by length, never waiting when idle."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from sentiment_service.engine.frames import Ids, Logits
from sentiment_service.engine.plan import (
    LEAST_OVERHEAD,
    Candidate,
    Pace,
    budget,
    bulk_streams,
    choose,
    leads_bulk,
    overhead,
    quickest,
    width,
)
from sentiment_service.engine.process import Answer, EngineFailedError

# Only so many waiting sequences are looked at for one batch, so that a decision stays cheap.
_WINDOW = 512
# Until the first run is measured: a slow guess, so that no deadline is too short.
_GUESSED_SECONDS_PER_TOKEN = 0.002

# Runs a batch, padded to so many tokens; the last argument is the seconds that it should take.
Run = Callable[[Sequence[Ids], int, float], Awaitable[Answer]]


class QueueFullError(Exception):
    """So many texts wait that this one is refused; the argument is seconds to wait before the next try."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return "the queue is full"


class ClosedError(Exception):
    """The service is stopping."""


class Batch(NamedTuple):
    """An engine run that has ended, for the metrics."""

    waited: list[float]
    """Seconds that each sequence waited for the engine."""
    tokens: int
    padded_tokens: int
    seconds: float
    """Engine time."""


class EngineRun(NamedTuple):
    """An engine run that answered some texts of a request, for its trace; times are `time.perf_counter`'s."""

    began: float
    ended: float
    engine_seconds: float
    texts: int
    tokens: int


class Answers(NamedTuple):
    logits: list[Logits]
    """Of every sequence, in order."""
    queued: float
    """When they were, by `time.perf_counter`."""
    runs: list[EngineRun]


class _Work:
    """One distinct sequence and everybody who waits for its answer."""

    __slots__ = ("candidate", "ids", "run", "since", "waiters")

    def __init__(self, ids: Ids, max_batch: int) -> None:
        self.ids = ids
        self.candidate = Candidate(len(ids), max_batch)
        self.since = time.perf_counter()
        self.run: EngineRun | None = None
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
    """Used from one event loop."""

    def __init__(
        self, run: Run, *, queue_limit: int, max_tokens: int, on_batch: Callable[[Batch], None]
    ) -> None:
        self._parallel = 1
        self._run = run
        self._queue_limit = queue_limit
        self._max_tokens = max_tokens
        self._on_batch = on_batch
        self._interactive: dict[Ids, _Work] = {}
        self._bulk: dict[Ids, _Work] = {}
        self._runs = 0
        self._bulk_runs = 0  # under way
        self._interactive_at = -math.inf
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._seconds_per_token = 0.0
        self._paces: list[Pace] = []
        self._known_overhead = self._overhead = LEAST_OVERHEAD

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    @property
    def idle(self) -> bool:
        return not self._running and not len(self)

    def begin(self, parallel: int, overhead: int = 0) -> None:
        """From now on another engine runs, which takes so many runs at the same time, and knows perhaps what
        one costs beside its tokens."""
        self._parallel = parallel
        self._paces = []
        self._known_overhead = self._overhead = max(LEAST_OVERHEAD, overhead)

    def start(self) -> None:
        self._task = asyncio.create_task(self._loop(), name="batcher")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            running = list(self._running)
            for task in running:
                task.cancel()
            await asyncio.gather(self._task, *running, return_exceptions=True)
            self._task = None
        self.fail_waiting(ClosedError())

    def fail_waiting(self, error: Exception) -> None:
        """Answer everything that waits, not what runs, with an error."""
        for work in self._all():
            work.fail(error)
        self._interactive.clear()
        self._bulk.clear()

    async def submit(self, batch: Sequence[Ids], *, bulk: bool, max_batch: int) -> Answers:
        """Answer every sequence, in order."""
        if self._task is None:
            raise ClosedError
        new = {ids for ids in batch if ids not in self._interactive and ids not in self._bulk}
        if len(self) + len(new) > self._queue_limit:
            raise QueueFullError(self._retry_after())
        queued = time.perf_counter()
        if not bulk:
            self._interactive_at = queued
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Logits]] = []
        works: list[_Work] = []
        for ids in batch:
            future: asyncio.Future[Logits] = loop.create_future()
            work = self._enqueue(ids, bulk, max_batch)
            work.waiters.append(future)
            works.append(work)
            futures.append(future)
        self._wake.set()
        try:
            # Not return_exceptions: the first failure ends the wait, and the rest is dropped below.
            logits = await asyncio.gather(*futures)
        except BaseException:
            for future in futures:
                future.cancel()
            self._drop(works)
            raise
        runs = {id(work.run): work.run for work in works if work.run is not None}
        return Answers(logits, queued, list(runs.values()))

    def _enqueue(self, ids: Ids, bulk: bool, max_batch: int) -> _Work:
        """The work that answers `ids`; one that already waits is joined, and promoted if need be."""
        work = self._interactive.get(ids)
        if work is None:
            work = self._bulk.get(ids)
            if work is not None and not bulk:
                work = self._interactive[ids] = self._bulk.pop(ids)
        if work is None:
            work = _Work(ids, max_batch)
            (self._bulk if bulk else self._interactive)[ids] = work
        return work

    def _drop(self, works: Iterable[_Work]) -> None:
        """Take those that nobody waits for any more out of the queue."""
        for work in works:
            for queue in (self._interactive, self._bulk):
                if queue.get(work.ids) is work and not work.wanted():
                    del queue[work.ids]

    def _all(self) -> Iterator[_Work]:
        return chain(self._interactive.values(), self._bulk.values())

    def _take(self) -> tuple[list[_Work], bool]:
        """Remove the next batch from the queue. Tells if it is bulk."""
        streams = bulk_streams(self._parallel, time.perf_counter() - self._interactive_at)
        may_bulk = bool(self._bulk) and self._bulk_runs < streams
        bulk = leads_bulk(bool(self._interactive), may_bulk, self._runs)
        queue = self._bulk if bulk else self._interactive
        window = list(islice(queue.values(), _WINDOW))
        if not window:
            return [], bulk
        candidates = [work.candidate for work in window]
        waiting = sum(one.tokens for one in candidates)
        tokens = budget(waiting, self._parallel, self._max_tokens, self._overhead)
        batch = [window[index] for index in choose(candidates, tokens, self._overhead)]
        for work in batch:
            del queue[work.ids]
        self._runs += 1
        return batch, bulk

    async def _loop(self) -> None:
        while True:
            await self._wake.wait()
            batch, bulk = self._take() if len(self._running) < self._parallel else ([], False)
            if not batch:
                self._wake.clear()  # set again by what arrives and by each run that ends
                continue
            self._bulk_runs += bulk
            task = asyncio.create_task(self._execute(batch), name="engine-run")
            self._running.add(task)
            task.add_done_callback(partial(self._done, bulk))

    def _done(self, bulk: bool, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._bulk_runs -= bulk
        self._wake.set()

    async def _execute(self, batch: list[_Work]) -> None:
        begin = time.perf_counter()
        ids = [work.ids for work in batch]
        columns = width(max(map(len, ids)), len(batch), self._overhead)
        padded = len(batch) * columns
        try:
            answer = await self._run(
                ids, columns, padded * (self._seconds_per_token or _GUESSED_SECONDS_PER_TOKEN)
            )
        except asyncio.CancelledError:
            for work in batch:
                work.fail(ClosedError())
            raise
        except Exception as error:  # whatever the engine raised is the answer to these requests only
            for work in batch:
                work.fail(error)
            return
        self._measure(answer.seconds, padded)
        waited = [begin - work.since for work in batch]
        self._on_batch(Batch(waited, sum(map(len, ids)), padded, answer.seconds))
        run = EngineRun(begin, time.perf_counter(), answer.seconds, len(batch), padded)
        for work, logits in zip(batch, answer.logits, strict=True):
            work.run = run
            if all(map(math.isfinite, logits)):
                work.resolve(logits)
            else:
                work.fail(EngineFailedError("the model answered NaN or infinity"))

    def _measure(self, seconds: float, tokens: int) -> None:
        latest = seconds / tokens
        old = self._seconds_per_token
        self._seconds_per_token = latest if old == 0 else 0.8 * old + 0.2 * latest
        self._paces = quickest([*self._paces, Pace(tokens, latest)])
        self._overhead = max(self._known_overhead, overhead(self._paces))

    def _retry_after(self) -> int:
        """Seconds until about half of what waits is answered, from the measured speed."""
        waiting = sum(len(work.ids) for work in self._all())
        return max(1, min(60, math.ceil(waiting * self._seconds_per_token / self._parallel / 2)))
