"""A loaded model: tokeniser and engine of one package. Imports numpy, so it is imported at load."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sentiment_service.engine.package import Manifest
from sentiment_service.engine.protocol import Engine, ModelLoadError
from sentiment_service.engine.tokenise import Encoded, Tokeniser

Logits = tuple[float, float]


class LoadedModel:
    def __init__(self, manifest: Manifest, tokeniser: Tokeniser, engine: Engine) -> None:
        self.manifest = manifest
        self._tokeniser = tokeniser
        self._engine = engine

    def encode(self, texts: list[str]) -> list[Encoded]:
        return self._tokeniser.encode(texts)

    def run(self, batch: Sequence[tuple[int, ...]]) -> list[Logits]:
        """Pad the sequences to the longest of them, infer once, return their logits in order."""
        width = max(len(ids) for ids in batch)
        input_ids = np.zeros((len(batch), width), dtype=np.int64)
        attention_mask = np.zeros_like(input_ids)
        for row, ids in enumerate(batch):
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        logits = self._engine.infer(input_ids, attention_mask)
        if logits.shape != (len(batch), 2):
            raise RuntimeError(f"the model answered shape {logits.shape}, not {(len(batch), 2)}")
        if not np.isfinite(logits).all():
            raise RuntimeError("the model answered NaN or infinity")
        return [(float(low), float(high)) for low, high in logits]

    def check(self) -> None:
        """One small inference: what loads but cannot answer is a failed load."""
        try:
            self.run([self.encode(["好"])[0].ids])
        except Exception as error:
            raise ModelLoadError(f"the model loads but does not answer: {error}") from error

    def close(self) -> None:
        self._engine.close()
