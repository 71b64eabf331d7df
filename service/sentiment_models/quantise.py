"""The precisions that a model may get, and how each is made from the fp32 IR. No torch."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

# Activations that share a scale: what OpenVINO takes when it is told nothing, and what is quickest where a
# layer is as wide. Of what is no multiple of a vector it quantises none.
_LEAST_GROUP, _MOST_GROUP, _VECTOR = 32, 256, 16
# Weights of the embedding that share a scale.
EMBEDDING_GROUP = 64
PRECISIONS = ("auto", "int8", "bf16", "fp32")


@dataclass(frozen=True)
class Candidate:
    """A precision and how it is reached; percent of the neurons that pruning was asked to take.

    `hint` is the service's inference precision.
    """

    precision: str
    quantisation: str
    pruned: int = 0

    @property
    def hint(self) -> str:
        return "f32" if self.precision == "fp32" else "bf16"

    @property
    def shown(self) -> str:
        how = [self.quantisation] if self.quantisation != "none" else []
        how += [f"pruned {self.pruned} %"] if self.pruned else []
        return f"{self.precision} ({', '.join(how)})" if how else self.precision

    @property
    def folder(self) -> str:
        """Where its IR lies among half-made ones."""
        return f"{self.precision}-{self.quantisation}" + (f"-{self.pruned}" if self.pruned else "")

    @property
    def origin(self) -> Candidate:
        """What it is made from: the same model in fp32."""
        return Candidate("fp32", "none", self.pruned)


# Of int8 the one that takes half the memory is tried first: its weights stay mapped and its kernels small.
CANDIDATES = (
    Candidate("int8", "weights"),
    Candidate("int8", "post-training"),
    Candidate("bf16", "none"),
    Candidate("fp32", "none"),
)


def order(precision: str, prune: int = 0, engine: str = "openvino") -> tuple[Candidate, ...]:
    """The candidates from the asked precision to the gentlest, all for `auto`; the pruned ones first.

    For torch only the whole model in fp32: the device decides what it is computed in.
    """
    if engine == "torch":
        return CANDIDATES[-1:]
    first = next((i for i, one in enumerate(CANDIDATES) if one.precision == precision), 0)
    whole = CANDIDATES[first:]
    return (*(replace(one, pruned=prune) for one in whole), *whole) if prune else whole


def make(candidate: Candidate, fp32: Path, out: Path, rows: Sequence[Sequence[int]]) -> None:
    """Write `out` (model.xml with model.bin) from the fp32 IR; `rows` are token ids to take ranges from.

    For a process of its own: torch can't be imported in it afterwards.
    """
    # NNCF would load it (300 MB) only to see that the model is none of torch's.
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]

    model = ov.Core().read_model(fp32)
    if candidate.quantisation == "post-training":
        model = _compressed(_post_training(model, rows, out.with_name("smooth.xml")))
    elif candidate.quantisation == "weights":
        model = weights_only(model)
    # int8 and bf16 packages keep the rest in half precision: bf16 has fewer digits still.
    ov.save_model(model, str(out), compress_to_fp16=candidate.precision != "fp32")


def _post_training(model: Any, rows: Sequence[Sequence[int]], between: Path) -> Any:
    """What `nncf.quantize` makes of it, in two steps: it would hold the smoothed weights in memory twice.

    Here they are mapped from the file `between`, which is gone afterwards, and only the kernels hold them.
    """
    import nncf  # type: ignore[import-not-found, import-untyped, unused-ignore]
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]

    from sentiment_models.smooth import smooth

    def inputs(row: Sequence[int]) -> dict[str, Any]:
        ids = np.array([row], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    texts = nncf.Dataset(rows, inputs)
    ov.save_model(smooth(model, texts, len(rows)), str(between), compress_to_fp16=False)
    smoothed = ov.Core().read_model(between)
    for file in (between, between.with_suffix(".bin")):
        file.unlink()  # what is mapped stays
    done = nncf.AdvancedSmoothQuantParameters(matmul=-1)
    return nncf.quantize(
        smoothed,
        texts,
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(rows),
        advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=done),
    )


def weights_only(model: Any) -> Any:
    """4 bits for the embedding's table, which is only looked up, and 8 for every layer."""
    import nncf  # type: ignore[import-not-found, import-untyped, unused-ignore]

    looked_up = [
        node.input_value(0).get_partial_shape()
        for node in model.get_ops()
        if node.get_type_name() == "Gather"
    ]
    widths = [table[1].get_length() for table in looked_up if table.is_static and len(table) == 2]
    if widths and all(width % EMBEDDING_GROUP == 0 for width in widths):
        model = nncf.compress_weights(
            model,
            mode=nncf.CompressWeightsMode.INT4_SYM,
            ratio=1.0,
            group_size=EMBEDDING_GROUP,
            all_layers=True,
            ignored_scope=nncf.IgnoredScope(types=["MatMul"]),
        )
    return _compressed(model)


def _compressed(model: Any) -> Any:
    """int8 for what is still wide, the embedding's table included."""
    import nncf  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return group_activations(nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM))


def group_activations(model: Any) -> Any:
    """The same model, which tells OpenVINO how many activations share a scale where only weights are int8.

    Its own 32 take time for their scales, and from 384 on AVX-512's kernels get slower: BERT-base makes
    3,350, 5,000 and 3,300 tokens/s with 32, 256 and 768 there, and 2,100, 2,600 and 2,600 with AVX2 and VNNI.
    The logits stay as near to fp32's. It must divide the width of every layer.
    """
    widths = [
        node.input_value(0).get_partial_shape()[-1].get_length()
        for node in model.get_ops()
        if node.get_type_name() == "MatMul"
        and node.input_value(1).get_partial_shape().is_static
        and node.input_value(0).get_partial_shape()[-1].is_static
    ]
    if size := group(widths):
        model.set_rt_info(str(size), ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"])
    return model


def group(widths: Sequence[int]) -> int:
    """The largest allowed that divides all widths; 0 when none does."""
    common = math.gcd(*widths)
    fitting = (size for size in range(_MOST_GROUP, _LEAST_GROUP - 1, -_VECTOR) if common % size == 0)
    return next(fitting, 0)
