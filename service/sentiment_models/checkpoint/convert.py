"""A checkpoint → the OpenVINO IR in fp32. Imports torch and transformers; runs in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment_models.checkpoint import weights
from sentiment_models.checkpoint.layout import Checkpoint
from sentiment_models.faults import CheckpointUnreadable, KeysMismatch, LabelCountWrong, VocabularyMismatch

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Converted:
    """Logits [rows, 2] (negative, positive) of the reference, to compare with; parameters; ignored keys."""

    reference: NDArray[np.float64]
    parameters: int
    ignored: tuple[str, ...] = ()


def convert(checkpoint: Checkpoint, ir: Path, rows: Sequence[Sequence[int]]) -> Converted:
    """Write `ir` (fp32 model.xml with model.bin), and let transformers compute the logits of `rows`."""
    model, ignored = load(checkpoint)
    return replace(save(model, ir, rows), ignored=tuple(ignored))


def save(model: Any, ir: Path, rows: Sequence[Sequence[int]]) -> Converted:
    """The same of a model of transformers, which is changed by it."""
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]
    import torch  # type: ignore[import-not-found, unused-ignore]

    from sentiment_models.checkpoint.first_token import narrow

    class Logits(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    wrapped = Logits().eval()
    with torch.no_grad():
        reference = [
            wrapped(torch.tensor([list(row)]), torch.ones(1, len(row), dtype=torch.int64))[0].double().numpy()
            for row in rows
        ]
        narrow(model)  # after the reference, which thereby judges it too
        ids = torch.tensor([list(range(2, 11))] * 2)
        made = ov.convert_model(
            wrapped, example_input={"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        )
    made.reshape({port: ov.PartialShape([-1, -1]) for port in made.inputs})
    for port, name in zip(made.inputs, ("input_ids", "attention_mask"), strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
    made.outputs[0].get_tensor().set_names({"logits"})
    made.validate_nodes_and_infer_types()
    ov.save_model(made, str(ir), compress_to_fp16=False)
    return Converted(np.array(reference), sum(one.numel() for one in model.parameters()))


def load(checkpoint: Checkpoint) -> tuple[Any, list[str]]:
    """(transformers' model in fp32 with rows negative, positive; the ignored names)."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    from transformers import (  # type: ignore[import-not-found, unused-ignore]
        AutoConfig,
        AutoModelForSequenceClassification,
    )

    settings = {k: v for k, v in checkpoint.config.items() if k not in ("id2label", "label2id", "num_labels")}
    settings |= {"model_type": checkpoint.family, "num_labels": 2}
    try:
        config = AutoConfig.for_model(**settings)
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager")
    except Exception as error:  # transformers checks a configuration in many ways
        raise CheckpointUnreadable(f"the configuration makes no model: {error}") from error
    found = weights.load(checkpoint.weights)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    renamed, ignored = weights.rename(found, expected, model.base_model_prefix)
    _shapes({name: tuple(tensor.shape) for name, tensor in renamed.items()}, expected)
    weights.finite(renamed)
    ready = {name: tensor.to(torch.float32) for name, tensor in renamed.items()}
    if checkpoint.negative == 1:  # the last layer's rows, so that every package is (negative, positive)
        for name in ready:
            if name.startswith("classifier") and ready[name].shape[0] == 2:
                ready[name] = ready[name].flip(0)
    model.load_state_dict(ready, assign=True, strict=True)
    for name, buffer in list(model.named_buffers()):
        if buffer.is_meta:
            _fill(model, name, buffer)
    return model.eval(), ignored


def _shapes(found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> None:
    for name, shape in found.items():
        wanted = expected[name]
        if shape == wanted:
            continue
        if name.endswith("word_embeddings.weight") and shape[1:] == wanted[1:]:
            raise VocabularyMismatch(
                f"the embedding has {shape[0]} rows, and the configuration says vocab_size {wanted[0]}"
            )
        if name.startswith("classifier") and shape[0] != 2 and shape[1:] == wanted[1:]:
            raise LabelCountWrong(f"the classifier has {shape[0]} rows, and 2 labels are named")
        raise KeysMismatch(f"{name} has the shape {list(shape)}, not {list(wanted)}")


def _fill(model: Any, name: str, buffer: Any) -> None:
    """The tables that transformers computes instead of saving: position_ids and token_type_ids."""
    import torch  # type: ignore[import-not-found, unused-ignore]

    parent, _, own = name.rpartition(".")
    if own == "position_ids":
        value = torch.arange(buffer.shape[-1]).expand(buffer.shape).clone()
    elif own == "token_type_ids":
        value = torch.zeros(buffer.shape, dtype=torch.int64)
    else:
        raise CheckpointUnreadable(f"the model computes {name}, which is not known here")
    model.get_submodule(parent).register_buffer(own, value, persistent=False)
