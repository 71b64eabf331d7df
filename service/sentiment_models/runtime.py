"""A package, run as the service runs it: tokenizers and OpenVINO on one core."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of a tokenizer.json."""
    from tokenizers import Tokenizer  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return Tokenizer.from_str(json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False))


class Compiled:
    """An IR, compiled for one CPU core in its stored precision."""

    def __init__(self, model: Any) -> None:
        import openvino  # type: ignore[import-not-found, import-untyped, unused-ignore]

        source = openvino.Core().read_model(str(model)) if isinstance(model, Path) else model
        hints = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self.request = openvino.Core().compile_model(source, "CPU", hints).create_infer_request()

    def logits(self, rows: Sequence[Sequence[int]]) -> Floats:
        """Logits [texts, 2], in batches of one length: nothing is padded."""
        result = np.zeros((len(rows), 2))
        by_length: dict[int, list[int]] = {}
        for index, row in enumerate(rows):
            by_length.setdefault(len(row), []).append(index)
        for indices in by_length.values():
            for at in range(0, len(indices), 32):
                part = indices[at : at + 32]
                result[part] = self.run(np.array([rows[i] for i in part], dtype=np.int64))
        return result

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64] | None = None) -> Floats:
        """ids, mask [batch, tokens] → logits [batch, 2]."""
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids) if mask is None else mask}
        output = next(iter(self.request.infer(inputs).values()))
        return np.array(output, dtype=np.float64)

    def latency(self, tokens: int = 32, times: int = 200) -> float:
        """Median milliseconds of one text."""
        ids = np.arange(10, 10 + tokens, dtype=np.int64)[None]
        taken = []
        for _ in range(times):
            begun = time.perf_counter()
            self.run(ids)
            taken.append(time.perf_counter() - begun)
        return float(np.median(taken[times // 5 :])) * 1000
