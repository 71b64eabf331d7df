"""The CPU engine: OpenVINO over a memory-mapped IR, one stream, latency first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment_service.engine.protocol import ModelLoadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INPUTS = frozenset({"input_ids", "attention_mask"})


class OpenVinoEngine:
    def __init__(self, model: Path, threads: int) -> None:
        self._model = model
        self._threads = threads
        self._request: Any = None

    def load(self) -> None:
        import openvino as ov  # type: ignore[import-untyped]

        core = ov.Core()
        # Mapped weights are shared by the processes and pods of a node.
        core.set_property({"ENABLE_MMAP": True})
        try:
            compiled = core.compile_model(
                self._model,
                "CPU",
                {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": self._threads},
            )
        except RuntimeError as error:
            raise ModelLoadError(f"{self._model}: {str(error).strip().splitlines()[-1].strip()}") from error
        names = {name for port in compiled.inputs for name in port.names}
        if not names >= INPUTS:
            raise ModelLoadError(f"{self._model} has inputs {sorted(names)}, not {sorted(INPUTS)}")
        self._request = compiled.create_infer_request()

    def infer(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        result: NDArray[np.float32] = self._request.infer(feed, share_inputs=True)[0]
        return result

    def close(self) -> None:
        self._request = None
