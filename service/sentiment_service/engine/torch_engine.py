"""The second engine: torch and transformers, for any Hugging Face checkpoint and for CUDA."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment_service.engine.files import MANIFEST
from sentiment_service.engine.protocol import ModelLoadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class TorchEngine:
    """Runs the checkpoint in `directory` on the first CUDA device, or on `threads` CPU threads."""

    # One run already uses every thread, or the whole GPU.
    parallel = 1

    def __init__(self, directory: Path, threads: int) -> None:
        self._directory = directory
        self._threads = threads
        self._model: Any = None
        self._device = "cpu"

    def load(self) -> None:
        # Nothing is ever fetched while serving; set before transformers is imported.
        os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_TELEMETRY="1")
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
        except Exception as error:  # transformers, safetensors and pickle raise many kinds
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelLoadError(f"{self._directory}: {lines[0]}") from error
        if report["missing_keys"]:
            # transformers would fill them with random numbers.
            names = ", ".join(sorted(report["missing_keys"])[:3])
            raise ModelLoadError(f"{self._directory}: the checkpoint has no weights for {names}")
        if model.config.num_labels != 2:
            raise ModelLoadError(f"{self._directory}: the model has {model.config.num_labels} labels, not 2")
        self._model = model.eval().to(self._device)

    def infer(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        import torch

        ids, mask = (torch.from_numpy(array).to(self._device) for array in (input_ids, attention_mask))
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        result: NDArray[np.float32] = logits.float().cpu().numpy()
        return result

    def _dtype(self, torch: Any) -> str:
        """`precision` of model.json when that names a torch type; else what the device is quickest with."""
        path = self._directory / MANIFEST
        precision = json.loads(path.read_bytes()).get("precision", "") if path.is_file() else ""
        if precision in DTYPES:
            return DTYPES[precision]
        if self._device == "cpu":
            return "float32"
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
