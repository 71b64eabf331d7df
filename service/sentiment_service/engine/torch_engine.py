"""The second engine: torch and transformers, for any Hugging Face checkpoint and for CUDA."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment_service.engine.files import MANIFEST
from sentiment_service.engine.protocol import ModelLoadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Rows and columns of what shows how long a token takes on this device; no model's positions end so early.
_MEASURED = (512, 16)
_MOST_OVERHEAD = 16384
DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class TorchEngine:
    """Runs the checkpoint in `directory` on the first CUDA device, or on `threads` CPU threads."""

    # One run already uses every thread, or the whole GPU.
    parallel = 1
    device = "cpu"
    overhead = 0

    def __init__(self, directory: Path, threads: int) -> None:
        self._directory = directory
        self._threads = threads
        self._model: Any = None
        self._device = "cpu"
        self._vocabulary = 0

    def load(self) -> None:
        # Nothing is ever fetched while serving; set before transformers is imported.
        os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_TELEMETRY="1")
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # transformers' too
        try:
            import torch  # type: ignore[import-not-found, unused-ignore]
            from transformers import (  # type: ignore[import-not-found, unused-ignore]
                AutoModelForSequenceClassification,
            )
        except ImportError as error:
            raise ModelLoadError(
                f"ENGINE=torch: {error.name or error} is not installed; use the image built with "
                "EXTRAS='service torch', or install sentiment-operator[service,torch]"
            ) from error
        torch.set_num_threads(self._threads)
        # What torch prefers on the largest GPUs builds a plan for every new shape of a run: tens of ms each,
        # and texts have many lengths.
        torch.backends.cuda.enable_cudnn_sdp(False)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            model, report = AutoModelForSequenceClassification.from_pretrained(
                str(self._directory),
                dtype=getattr(torch, self._dtype(torch)),
                local_files_only=True,
                # Neither code nor pickled objects out of a checkpoint are ever run.
                trust_remote_code=False,
                weights_only=True,
                output_loading_info=True,
            )
            model = model.eval().to(self._device)
        except Exception as error:  # transformers, safetensors and pickle raise many kinds
            raise ModelLoadError(f"{self._directory}: {_first(error)}") from error
        if report["missing_keys"]:
            # transformers would fill them with random numbers.
            names = ", ".join(sorted(report["missing_keys"])[:3])
            raise ModelLoadError(f"{self._directory}: the checkpoint has no weights for {names}")
        if model.config.num_labels != 2:
            raise ModelLoadError(f"{self._directory}: the model has {model.config.num_labels} labels, not 2")
        self._vocabulary = model.get_input_embeddings().num_embeddings
        self._model = model
        if self._device == "cuda":
            self.device = f"cuda: {torch.cuda.get_device_name()}"
            self.overhead = self._measure()
            torch.cuda.empty_cache()

    def infer(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """What does not fit into the GPU's memory beside what others have there runs in halves."""
        import numpy as np
        import torch

        # On a GPU it would be a fault after which nothing runs any more.
        if (highest := int(input_ids.max())) >= self._vocabulary:
            raise ValueError(
                f"token {highest} is none of the model's {self._vocabulary}: another tokenizer.json's"
            )
        try:
            return self._forward(input_ids, attention_mask)
        except torch.OutOfMemoryError as error:
            half = len(input_ids) // 2
            if not half:
                raise RuntimeError(f"no memory left for one text: {_first(error)}") from error
        torch.cuda.empty_cache()
        parts = (slice(half), slice(half, None))
        return np.concatenate([self.infer(input_ids[part], attention_mask[part]) for part in parts])

    def _forward(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        import torch

        ids, mask = (torch.from_numpy(array).to(self._device) for array in (input_ids, attention_mask))
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        result: NDArray[np.float32] = logits.float().cpu().numpy()
        return result

    def _measure(self) -> int:
        """How many tokens take as long as a run takes that has hardly any."""
        import numpy as np

        def seconds(rows: int, columns: int) -> float:
            ids = np.ones((rows, columns), dtype=np.int64)
            begin = time.perf_counter()
            self.infer(ids, np.ones_like(ids))
            return time.perf_counter() - begin

        rows, columns = _MEASURED
        # The first runs choose kernels.
        least, most = (min(seconds(number, columns) for _ in range(5)) for number in (1, rows))
        token = max(most - least, 0) / (rows * columns)
        return min(_MOST_OVERHEAD, round(least / max(token, least / _MOST_OVERHEAD)))

    def _dtype(self, torch: Any) -> str:
        """`precision` of model.json when that names a torch type; else what the device is quickest with."""
        path = self._directory / MANIFEST
        precision = json.loads(path.read_bytes()).get("precision", "") if path.is_file() else ""
        if precision in DTYPES:
            return DTYPES[precision]
        if self._device == "cpu":
            return "float32"
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def _first(error: BaseException) -> str:
    """The first line of what it says."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
