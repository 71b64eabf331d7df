"""torch → OpenVINO IR, int8: post-training quantised or weights only, whichever is right more often."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]

from sentiment_models import runtime
from sentiment_models.quantise import group_activations
from sentiment_models.wide import WideAndDeep

# The most that a logit may change in conversion.
TOLERANCE = 1e-3
# One weight a row: int8 would need a scale for each, and save nothing.
_KEPT = r".*wide.*"


class ConversionError(RuntimeError):
    """The converted model does not compute what the trained one does."""


def convert(trained: WideAndDeep) -> Any:
    """fp32 IR with inputs input_ids, attention_mask (int64 [batch, tokens], both open) and output logits."""
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]

    ids = torch.randint(5, 100, (2, 9))
    example = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    model = ov.convert_model(copy.deepcopy(trained).eval(), example_input=example)
    model.reshape({port: ov.PartialShape([-1, -1]) for port in model.inputs})
    for port, name in zip(model.inputs, ("input_ids", "attention_mask"), strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
    model.outputs[0].get_tensor().set_names({"logits"})
    model.validate_nodes_and_infer_types()
    return model


def check(model: Any, trained: WideAndDeep, rows: Sequence[Sequence[int]]) -> float:
    """The largest difference of a logit between torch and OpenVINO; ConversionError past TOLERANCE."""
    trained.eval()
    with torch.no_grad():
        expected = [trained(torch.tensor([row]), torch.ones(1, len(row), dtype=torch.int64)) for row in rows]
    found = runtime.Compiled(model).logits(rows)
    worst = float(np.abs(found - torch.cat(expected).double().numpy()).max())
    if worst > TOLERANCE:
        raise ConversionError(f"OpenVINO's logits differ from torch's by {worst:.4f}")
    return worst


def post_training(model: Any, rows: Sequence[Sequence[int]]) -> Any:
    """int8 weights and activations; ranges from training texts."""
    import nncf  # type: ignore[import-not-found, import-untyped, unused-ignore]

    def inputs(row: Sequence[int]) -> dict[str, Any]:
        ids = np.array([row], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    quantised = nncf.quantize(
        model.clone(),
        nncf.Dataset(rows, inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(rows),
        ignored_scope=nncf.IgnoredScope(patterns=[_KEPT]),
    )
    return weights_only(quantised)


def weights_only(model: Any) -> Any:
    """int8 weights, the tables of the embedding included; activations stay as they are."""
    import nncf  # type: ignore[import-not-found, import-untyped, unused-ignore]

    compressed = nncf.compress_weights(
        model.clone(),
        mode=nncf.CompressWeightsMode.INT8_SYM,
        ignored_scope=nncf.IgnoredScope(patterns=[_KEPT]),
    )
    return group_activations(compressed)


def quantise(
    model: Any, rows: Sequence[Sequence[int]], accuracy: Callable[[Any], float]
) -> tuple[Any, str, dict[str, float]]:
    """The int8 model, how it was made, and the accuracy of each way on the calibration part.

    The way that is right most often there; of equals post-training, as it is the faster.
    """
    made = {"weights": weights_only(model)}
    try:
        made["post-training"] = post_training(model, rows)
    except Exception as error:  # nncf raises many kinds; the other way stays open, and it is said aloud
        print(f"  post-training quantisation failed: {error}")
    seen = {method: accuracy(quantised) for method, quantised in made.items()}
    best = max(reversed(made), key=lambda method: seen[method])
    return made[best], best, {"fp32": accuracy(model), **seen}


def save(model: Any, folder: Path) -> None:
    """model.xml and model.bin."""
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]

    ov.save_model(model, str(folder / "model.xml"), compress_to_fp16=True)
