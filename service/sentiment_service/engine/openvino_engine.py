"""The CPU engine: OpenVINO over a memory-mapped IR."""

from __future__ import annotations

import os
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sentiment_service.engine.protocol import ModelLoadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INPUTS = frozenset({"input_ids", "attention_mask"})
# Kernels are kept for so many layers and shapes, the last ones used. Without a limit every new shape stays,
# and memory grows for hours. 64 take 17 MB less of BERT-base, which is as quick then, and a tenth of the
# bundled model's speed.
_KERNELS = 128


def in_f32(wanted: str, preferred: str) -> bool:
    """Whether a CPU must be told not to compute in what it prefers.

    One that knows bfloat16 would use it, and answer otherwise than the next node. ARM's prefer float16, which
    no package is checked in: it made 94 % of 98.8 %.
    """
    return wanted == "f32" or preferred == "f16"


class OpenVinoEngine:
    device = "cpu"
    overhead = 0

    def __init__(self, model: Path, threads: int, precision: str = "") -> None:
        self._model = model
        self._threads = threads
        self._precision = precision
        # One stream for each core: a run on one core needs no barriers, and two of them are quicker than
        # one after the other on both.
        self.parallel = threads
        self._requests: SimpleQueue[Any] = SimpleQueue()

    def load(self) -> None:
        # Its second cache, shared by the streams; read when the library is loaded.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(2 * _KERNELS))
        import openvino as ov  # type: ignore[import-untyped]

        core = ov.Core()
        # Mapped weights are shared by the processes and pods of a node.
        core.set_property({"ENABLE_MMAP": True})
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": self.parallel,
            "INFERENCE_NUM_THREADS": self._threads,
            # The cores are shared with HTTP and tokenising; the scheduler of the system knows best.
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": _KERNELS,
        }
        preferred = core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        if in_f32(self._precision, preferred):
            options["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            compiled = core.compile_model(self._model, "CPU", options)
        except RuntimeError as error:
            raise ModelLoadError(f"{self._model}: {str(error).strip().splitlines()[-1].strip()}") from error
        names = {name for port in compiled.inputs for name in port.names}
        if not names >= INPUTS:
            raise ModelLoadError(f"{self._model} has inputs {sorted(names)}, not {sorted(INPUTS)}")
        for _ in range(self.parallel):
            self._requests.put(compiled.create_infer_request())

    def infer(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        request = self._requests.get()
        try:
            # A copy: the request's own memory is overwritten by its next run.
            result: NDArray[np.float32] = request.infer(feed, share_inputs=True)[0].copy()
            return result
        finally:
            self._requests.put(request)
