"""Who gets a stream of the engine when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sentiment_service.engine.batcher import Batcher
from sentiment_service.engine.frames import Ids
from sentiment_service.engine.process import Answer


class _Engine:
    """Runs that end when they are told to."""

    def __init__(self) -> None:
        self.runs: list[tuple[Sequence[Ids], asyncio.Event]] = []

    async def run(self, batch: Sequence[Ids], width: int, seconds: float) -> Answer:  # noqa: ARG002
        end = asyncio.Event()
        self.runs.append((batch, end))
        await end.wait()
        self.runs = [run for run in self.runs if run[1] is not end]
        return Answer(0.001, [(0.0, 1.0) for _ in batch])

    async def settle(self) -> list[Ids]:
        """The first sequence of each run under way, once nothing moves any more."""
        for _ in range(20):
            await asyncio.sleep(0)
        return [batch[0] for batch, _ in self.runs]


def _texts(first: int, count: int) -> list[Ids]:
    return [(first + number,) for number in range(count)]


def test_an_interactive_text_finds_a_free_stream_while_a_file_runs() -> None:
    async def scenario() -> None:
        engine = _Engine()
        batcher = Batcher(engine.run, queue_limit=1000, max_tokens=8, on_batch=lambda _: None)
        batcher.begin(2)
        batcher.start()
        file = asyncio.create_task(batcher.submit(_texts(1000, 60), bulk=True, max_batch=64))
        assert len(await engine.settle()) == 2, "nobody else is there: a file has all streams"
        first = asyncio.create_task(batcher.submit([(1,)], bulk=False, max_batch=32))
        await engine.settle()
        engine.runs[0][1].set()
        assert (1,) in await engine.settle()
        next(end for batch, end in engine.runs if batch[0] == (1,)).set()
        [running] = await engine.settle()
        assert running[0] >= 1000, "the file goes on in one stream, the other is kept free"
        assert first.done()
        second = asyncio.create_task(batcher.submit([(2,)], bulk=False, max_batch=32))
        assert (2,) in await engine.settle(), "at once, without a run to wait for"
        while not (file.done() and second.done()):
            for _, end in engine.runs:
                end.set()
            await engine.settle()
        await batcher.stop()

    asyncio.run(scenario())


def test_runs_of_a_quick_engine_get_few_shapes_and_those_of_the_next_start_anew() -> None:
    async def scenario() -> None:
        widths: list[int] = []
        seconds_per_token = 0.0005

        async def run(batch: Sequence[Ids], width: int, _: float) -> Answer:
            widths.append(width)
            return Answer(seconds_per_token * width * len(batch), [(0.0, 1.0) for _ in batch])

        batcher = Batcher(run, queue_limit=10, max_tokens=256, on_batch=lambda _: None)
        batcher.start()
        text = tuple(range(100))
        await batcher.submit([text], bulk=False, max_batch=1)
        seconds_per_token = 0.00005
        await batcher.submit([text], bulk=False, max_batch=1)
        await batcher.submit([text], bulk=False, max_batch=1)
        batcher.begin(1)
        await batcher.submit([text], bulk=False, max_batch=1)
        assert widths == [104, 104, 112, 104]
        await batcher.stop()

    asyncio.run(scenario())


def test_runs_that_cost_much_beside_their_tokens_become_larger_once_both_sizes_were_seen() -> None:
    async def scenario() -> None:
        shapes: list[tuple[int, int]] = []

        async def run(batch: Sequence[Ids], width: int, _: float) -> Answer:
            shapes.append((len(batch), width))
            return Answer(0.018 + 0.0004 * width * len(batch), [(0.0, 1.0) for _ in batch])

        batcher = Batcher(run, queue_limit=1000, max_tokens=256, on_batch=lambda _: None)
        batcher.start()
        await batcher.submit([tuple(range(20))], bulk=False, max_batch=1)
        await batcher.submit([(number, *range(29)) for number in range(64)], bulk=False, max_batch=64)
        assert shapes[:2] == [(1, 24), (8, 30)]
        assert max(rows * width for rows, width in shapes[2:]) > 3 * 256
        await batcher.stop()

    asyncio.run(scenario())
