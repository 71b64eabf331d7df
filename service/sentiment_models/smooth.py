"""NNCF's SmoothQuant alone: what a layer's inputs have in outliers moves into its weights. Imports NNCF."""

from __future__ import annotations

from typing import Any

import nncf
import numpy as np
from nncf.quantization.algorithms.pipeline import Pipeline
from nncf.quantization.algorithms.smooth_quant.algorithm import SmoothQuant
from nncf.quantization.algorithms.smooth_quant.openvino_backend import OVSmoothQuantAlgoBackend


class _Narrow(OVSmoothQuantAlgoBackend):  # type: ignore[misc, unused-ignore]
    """Takes each scaled weight in float32, as the model will; NNCF holds them in float64 until the last."""

    @staticmethod
    def weight_update_command(node: Any, graph: Any, weight: Any) -> Any:
        return OVSmoothQuantAlgoBackend.weight_update_command(node, graph, weight.astype(np.float32))


class _Smooth(SmoothQuant):  # type: ignore[misc, unused-ignore]
    def _set_backend_entity(self, _: Any) -> None:
        self._backend_entity = _Narrow()


def smooth(model: Any, texts: Any, number: int) -> Any:
    """The same function as the fp32 `model`, as `nncf.quantize` would smooth it over so many of the texts."""
    alphas = nncf.AdvancedSmoothQuantParameters()
    step = _Smooth(number, alpha_map={"convolution": alphas.convolution, "matmul": alphas.matmul})
    return Pipeline([[step]]).run(model, texts)
