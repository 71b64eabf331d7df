"""Texts in, predictions out: the one thing of the engine that the API sees."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_service.engine.batcher import Batcher
from sentiment_service.engine.decide import Prediction, decide
from sentiment_service.engine.lifecycle import Lifecycle, State

if TYPE_CHECKING:
    from sentiment_service.engine.model import LoadedModel

# Tokenising fewer characters than this is quicker than handing them to a thread.
_INLINE_CHARS = 2048


def load_model(directory: Path, threads: int) -> LoadedModel:
    """Read, verify, load and try a package. The only place where an engine is chosen."""
    from sentiment_service.engine.model import LoadedModel
    from sentiment_service.engine.openvino_engine import OpenVinoEngine
    from sentiment_service.engine.package import ModelPackage
    from sentiment_service.engine.tokenise import Tokeniser

    # Resolved once: a symlink to another package version may be switched at any moment.
    package = ModelPackage.read(directory.resolve())
    package.verify()
    tokeniser = Tokeniser(package.path("tokenizer.json"), package.manifest.max_tokens)
    engine = OpenVinoEngine(package.path("model.xml"), threads)
    engine.load()
    model = LoadedModel(package.manifest, tokeniser, engine)
    model.check()
    return model


class Runtime:
    def __init__(
        self,
        loader: Callable[[], LoadedModel],
        *,
        queue_limit: int,
        max_batch_tokens: int,
        idle_seconds: float,
        on_change: Callable[[State, str], None],
        on_batch: Callable[[int, list[float]], None],
    ) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self.lifecycle = Lifecycle(loader, self._executor, idle_seconds=idle_seconds, on_change=on_change)
        self.batcher = Batcher(
            self._executor, queue_limit=queue_limit, max_tokens=max_batch_tokens, on_batch=on_batch
        )

    def start(self, *, warm_up: bool) -> None:
        self.batcher.start()
        if warm_up:
            self.lifecycle.warm_up()

    async def stop(self) -> None:
        await self.batcher.stop()
        await self.lifecycle.close()
        self._executor.shutdown()

    async def analyze(self, texts: list[str], *, bulk: bool, max_batch: int) -> list[Prediction]:
        """Predictions in the order of the texts."""
        async with self.lifecycle.use() as model:
            if sum(map(len, texts)) <= _INLINE_CHARS:
                encoded = model.encode(texts)
            else:
                encoded = await asyncio.to_thread(model.encode, texts)
            ids = [one.ids for one in encoded]
            answers = await self.batcher.submit(model.run, ids, bulk=bulk, max_batch=max_batch)
        return [
            decide(logits, one.truncated, model.manifest)
            for logits, one in zip(answers, encoded, strict=True)
        ]
