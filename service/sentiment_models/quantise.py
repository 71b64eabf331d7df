"""The precisions that a model may get, and how each is made from the fp32 IR. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PRECISIONS = ("auto", "int8", "bf16", "fp32")


@dataclass(frozen=True)
class Candidate:
    """A precision and how it is reached. `hint` is the service's inference precision."""

    precision: str
    quantisation: str

    @property
    def hint(self) -> str:
        return "f32" if self.precision == "fp32" else "bf16"

    @property
    def shown(self) -> str:
        return self.precision if self.quantisation == "none" else f"{self.precision} ({self.quantisation})"


# From the boldest to the gentlest.
CANDIDATES = (
    Candidate("int8", "post-training"),
    Candidate("int8", "weights"),
    Candidate("bf16", "none"),
    Candidate("fp32", "none"),
)


def order(precision: str) -> tuple[Candidate, ...]:
    """The candidates from the asked precision to the gentlest; all for `auto`."""
    first = next((i for i, one in enumerate(CANDIDATES) if one.precision == precision), 0)
    return CANDIDATES[first:]


def make(candidate: Candidate, fp32: Path, out: Path, rows: Sequence[Sequence[int]]) -> None:
    """Write `out` (model.xml with model.bin) from the fp32 IR; `rows` are token ids to take ranges from."""
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]

    model = ov.Core().read_model(fp32)
    if candidate.quantisation == "post-training":
        model = _weights(_post_training(model, rows))
    elif candidate.quantisation == "weights":
        model = _weights(model)
    # int8 and bf16 packages keep the rest in half precision: bf16 has fewer digits still.
    ov.save_model(model, str(out), compress_to_fp16=candidate.precision != "fp32")


def _post_training(model: Any, rows: Sequence[Sequence[int]]) -> Any:
    import nncf  # type: ignore[import-not-found, import-untyped, unused-ignore]

    def inputs(row: Sequence[int]) -> dict[str, Any]:
        ids = np.array([row], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    return nncf.quantize(
        model,
        nncf.Dataset(rows, inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(rows),
    )


def _weights(model: Any) -> Any:
    """int8 for what is still wide, the embedding's table included."""
    import nncf  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
