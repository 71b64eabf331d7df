"""When an engine is taken for broken. Its process is real; only what its runs end with is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from sentiment_service.engine.batcher import Answers
from sentiment_service.engine.frames import Ids
from sentiment_service.engine.process import Answer, EngineFailedError, EngineProcess
from sentiment_service.engine.served import ServedModel
from sentiment_service.metrics import Metrics
from sentiment_service.settings import Settings

_FAULT = "CUDA error: device-side assert triggered"


async def _nothing(_: ServedModel) -> None:
    return


async def _ask(model: ServedModel) -> Answers:
    package = await model.ensure()
    return await model.infer(package, [(2, 4, 3)], bulk=False, max_batch=1, truncated=0)


@pytest.mark.parametrize("fails", [1, 1000])
def test_an_engine_that_fails_at_everything_is_replaced(
    package: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    """As one whose GPU refuses everything after one fault: its process lives, and says so of each run."""

    async def scenario() -> None:
        settings = Settings(model_dir=package)
        metrics, changed = Metrics(lambda: 0, lambda: True), asyncio.Event()
        model = ServedModel("", package, settings, 1, metrics, make_room=_nothing, on_change=changed.set)
        model.batcher.start()
        await _ask(model)
        broken, run, left = model.engine, EngineProcess.run, [fails]
        assert broken

        async def faulty(engine: EngineProcess, batch: Sequence[Ids], width: int, limit: float) -> Answer:
            if engine is broken and left[0]:
                left[0] -= 1
                raise EngineFailedError(_FAULT)
            return await run(engine, batch, width, limit)

        monkeypatch.setattr(EngineProcess, "run", faulty)
        with pytest.raises(EngineFailedError, match="device-side assert"):
            await _ask(model)
        async with asyncio.timeout(30):
            if model._suspect is not None:
                await model._suspect
            while fails > 1 and model.engine is broken:
                changed.clear()
                await changed.wait()
            assert (await _ask(model)).logits
        assert (model.engine is broken) == (fails == 1), "one failed run is no broken engine"
        await model.stop()

    asyncio.run(scenario())
