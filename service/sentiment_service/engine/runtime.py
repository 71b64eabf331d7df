"""Texts in, predictions out: the one thing of the engine that the API sees."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment_service import tracing
from sentiment_service.engine.decide import Prediction
from sentiment_service.engine.lifecycle import ModelUnavailableError
from sentiment_service.engine.protocol import ModelLoadError
from sentiment_service.engine.scheduler import PackageChangedError, Scheduling

if TYPE_CHECKING:
    from sentiment_service.engine.model import Model

# Tokenising fewer characters than this is quicker than handing them to a thread.
_INLINE_CHARS = 2048
# How often another package may take the place of the one that texts were tokenised for.
_TRIES = 3


class Runtime:
    """One for each HTTP worker; `model` is a tokeniser that was read before, if any."""

    def __init__(self, scheduler: Scheduling, model: Model | None = None) -> None:
        self._scheduler = scheduler
        self._model = model

    async def analyze(self, texts: list[str], *, bulk: bool, max_batch: int) -> list[Prediction]:
        """Predictions in the order of the texts."""
        for _ in range(_TRIES):
            try:
                return await self._analyze(texts, bulk, max_batch)
            except PackageChangedError:
                continue
        raise ModelUnavailableError("the model package keeps changing")

    async def _analyze(self, texts: list[str], bulk: bool, max_batch: int) -> list[Prediction]:
        status = self._scheduler.status
        model = self._read(status.package or await self._scheduler.ensure())
        if sum(map(len, texts)) <= _INLINE_CHARS:
            encoded = model.encode(texts)
        else:
            encoded = await asyncio.to_thread(model.encode, texts)
        answers = await self._scheduler.infer(
            model.directory,
            [one.ids for one in encoded],
            bulk=bulk,
            max_batch=max_batch,
            truncated=sum(one.truncated for one in encoded),
        )
        tracing.add_runs(answers)
        return [model.decide(logits, one) for logits, one in zip(answers.logits, encoded, strict=True)]

    def _read(self, package: Path) -> Model:
        if self._model is None or self._model.directory != package:
            from sentiment_service.engine.model import Model

            try:
                self._model = Model.read(package)
            except ModelLoadError as error:
                raise ModelUnavailableError(str(error)) from error
        return self._model
