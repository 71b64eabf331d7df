"""Texts in, predictions out: the one thing of the engine that the API sees."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_service import tracing
from sentiment_service.engine.decide import Prediction
from sentiment_service.engine.lifecycle import ModelUnavailableError
from sentiment_service.engine.plan import MOST_ROWS
from sentiment_service.engine.protocol import ModelLoadError
from sentiment_service.engine.scheduler import Scheduling
from sentiment_service.engine.served import PackageChangedError

if TYPE_CHECKING:
    from sentiment_service.engine.model import Model

# Tokenising fewer characters than this is quicker than handing them to a thread.
_INLINE_CHARS = 2048
# How often another package may take the place of the one that texts were tokenised for.
_TRIES = 3


class Runtime:
    """One for each HTTP worker; `models` are tokenisers that were read before, by the model's name."""

    def __init__(self, scheduler: Scheduling, models: Mapping[str, Model] | None = None) -> None:
        self._scheduler = scheduler
        self._models = dict(models or {})

    async def analyze(
        self, texts: list[str], *, model: str, bulk: bool, max_batch: int = MOST_ROWS
    ) -> list[Prediction]:
        """The model's predictions in the order of the texts."""
        for _ in range(_TRIES):
            try:
                return await self._analyze(texts, model, bulk, max_batch)
            except PackageChangedError:
                continue
        raise ModelUnavailableError("the model package keeps changing")

    async def _analyze(self, texts: list[str], name: str, bulk: bool, max_batch: int) -> list[Prediction]:
        package = self._scheduler.status.models[name].package or await self._scheduler.ensure(name)
        model = self._read(name, package)
        if sum(map(len, texts)) <= _INLINE_CHARS:
            encoded = model.encode(texts)
        else:
            encoded = await asyncio.to_thread(model.encode, texts)
        answers = await self._scheduler.infer(
            name,
            package,
            [one.ids for one in encoded],
            bulk=bulk,
            max_batch=max_batch,
            truncated=sum(one.truncated for one in encoded),
        )
        tracing.add_runs(answers)
        return [model.decide(logits, one) for logits, one in zip(answers.logits, encoded, strict=True)]

    def _read(self, name: str, package: Path) -> Model:
        found = self._models.get(name)
        if found is None or found.directory != package:
            from sentiment_service.engine.model import Model

            try:
                found = self._models[name] = Model.read(package)
            except ModelLoadError as error:
                raise ModelUnavailableError(str(error)) from error
        return found
