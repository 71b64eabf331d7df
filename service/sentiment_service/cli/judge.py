"""The engine without HTTP: the same queue, batching and process as the server's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

from sentiment_service.api.routes import problem_of
from sentiment_service.cli.outcome import Outcome, outcome_of
from sentiment_service.engine.catalogue import Catalogue
from sentiment_service.engine.decide import Prediction
from sentiment_service.engine.runtime import Runtime
from sentiment_service.engine.scheduler import Scheduler
from sentiment_service.settings import Settings

T = TypeVar("T")

WINDOW = 256
_AHEAD = 2


class Judge:
    """Says of texts what the server would say."""

    def __init__(self, runtime: Runtime, model: str, max_length: int) -> None:
        self._runtime = runtime
        self._model = model
        self._max_length = max_length

    async def judge(self, texts: list[str]) -> list[Outcome]:
        problems = [problem_of(text, self._max_length) for text in texts]
        good = [text for text, problem in zip(texts, problems, strict=True) if problem is None]
        found = iter(await self._ask(good) if good else [])
        return [
            Outcome(error=problem.message) if problem else outcome_of(next(found)) for problem in problems
        ]

    async def _ask(self, texts: list[str]) -> list[Prediction]:
        return await self._runtime.analyze(texts, model=self._model, bulk=True)

    async def stream(self, windows: Iterator[list[tuple[T, str]]]) -> AsyncIterator[list[tuple[T, Outcome]]]:
        """Windows of (anything, text) to windows of (the same, outcome), in order; read a little ahead."""
        waiting: deque[tuple[list[T], asyncio.Task[list[Outcome]]]] = deque()
        try:
            while True:
                # Reading may wait for a person at the other end of a pipe.
                window = await asyncio.to_thread(next, windows, None)
                if window is not None:
                    ones = [one for one, _ in window]
                    waiting.append((ones, asyncio.create_task(self.judge([text for _, text in window]))))
                elif not waiting:
                    return
                if window is None or len(waiting) > _AHEAD:
                    ones, task = waiting.popleft()
                    yield list(zip(ones, await task, strict=True))
        finally:
            for _, task in waiting:
                task.cancel()
            await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)


@asynccontextmanager
async def judging(settings: Settings) -> AsyncIterator[Judge]:
    """With an engine of its own, which is started at the first text."""
    scheduler = Scheduler(settings)
    scheduler.start()
    try:
        yield Judge(Runtime(scheduler), Catalogue(settings.packages).default, settings.max_text_length)
    finally:
        await scheduler.stop()
