"""An IR run as the service runs it, in a process of its own: its logits and its speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sentiment_models.calibrate import Floats

TOKENS = 32
TIMES = 60
# As many as the service keeps: without a limit the kernels of every length stay, 900 MB for BERT-base.
_KERNELS = 128


@dataclass(frozen=True)
class Measured:
    """Logits [texts, 2] in the order of the rows; median milliseconds of one text of 32 tokens."""

    logits: Floats
    milliseconds: float


def measure(ir: Path, hint: str, rows: Sequence[Sequence[int]], threads: int = 1) -> Measured:
    """`hint` is the inference precision, `f32` or `bf16`; one text at a time, so nothing is padded."""
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]

    core = ov.Core()
    core.set_property({"ENABLE_MMAP": True})
    settings = {
        "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads,
        "CPU_RUNTIME_CACHE_CAPACITY": _KERNELS,
        # Never float16, which ARM's CPUs prefer: the service doesn't compute in it either.
        "INFERENCE_PRECISION_HINT": hint if has_bf16() else "f32",
    }  # fmt: skip
    request = core.compile_model(ir, "CPU", settings).create_infer_request()

    def run(row: Sequence[int]) -> Floats:
        ids = np.array([row], dtype=np.int64)
        output = request.infer({"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        return np.array(output[0], dtype=np.float64)

    logits = np.array([run(row) for row in rows]).reshape(len(rows), 2)
    row = [2 + number % 3 for number in range(TOKENS)]
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        run(row)
        taken.append(time.perf_counter() - begun)
    return Measured(logits, float(np.median(taken[TIMES // 5 :])) * 1000)


def has_bf16() -> bool:
    """Whether this CPU computes in bf16 by itself."""
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
