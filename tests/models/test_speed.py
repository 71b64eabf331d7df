"""What makes a prepared model quicker: the last layer for one token, and coarse groups of activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.models

SIZES: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 128, "max_position_embeddings": 40, "num_labels": 2,
}  # fmt: skip


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "ernie", "albert", "distilbert"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_last_layer_for_the_first_token_alone_gives_the_same_logits(family: str, attention: str) -> None:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from sentiment_models.checkpoint.first_token import FirstTokenLayer, narrow
    from transformers import (  # type: ignore[import-not-found, unused-ignore]
        AutoConfig,
        AutoModelForSequenceClassification,
    )

    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_config(
        AutoConfig.for_model(family, **SIZES), attn_implementation=attention
    ).eval()
    ids = torch.randint(5, 50, (3, 12))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    with torch.no_grad():
        before = model(input_ids=ids, attention_mask=mask).logits
        narrow(model)
        after = model(input_ids=ids, attention_mask=mask).logits
    narrowed = any(isinstance(part, FirstTokenLayer) for part in model.modules())
    assert narrowed == (family not in ("albert", "distilbert"))
    assert torch.allclose(before, after, atol=1e-6)


def test_the_group_of_activations_is_in_the_package_and_counts(tmp_path: Path) -> None:
    import numpy as np
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from openvino import opset13 as ops
    from sentiment_models import quantise

    rows = ops.parameter([-1, -1, 192], np.float32)
    wide = ops.matmul(rows, ops.constant(np.ones((384, 192), np.float32)), False, True)
    narrow = ops.matmul(wide, ops.constant(np.ones((2, 384), np.float32)), False, True)
    model = quantise.weights_only(ov.Model([narrow], [rows]))
    ov.save_model(model, tmp_path / "model.xml")
    compiled = ov.Core().compile_model(tmp_path / "model.xml", "CPU")
    assert compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE") == 192


def test_the_embedding_takes_4_bits_and_answers_stay_near(tmp_path: Path) -> None:
    import numpy as np
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from openvino import opset13 as ops
    from sentiment_models import quantise

    dice = np.random.default_rng(1)
    table = dice.standard_normal((500, 128), dtype=np.float32)
    layer = dice.standard_normal((128, 128), dtype=np.float32) / 128**0.5
    ids = ops.parameter([-1, -1], np.int64)
    first = ops.gather(ids, ops.constant([0]), ops.constant(1))  # of no table: its size is not known
    looked_up = ops.gather(ops.constant(table), ops.concat([first, ids], 1), ops.constant(0))
    model = ov.Model([ops.matmul(looked_up, ops.constant(layer), False, True)], [ids])
    ov.save_model(quantise.weights_only(model), tmp_path / "model.xml")

    written = ov.Core().read_model(tmp_path / "model.xml").get_ops()
    constants = [node for node in written if node.get_type_name() == "Constant"]
    bits = {
        node.get_element_type().bitwidth for node in constants if [*node.get_output_shape(0)][:1] == [500]
    }
    assert 4 in bits
    assert (tmp_path / "model.bin").stat().st_size < 500 * 128 / 2 * 1.1 + 128 * 128 * 1.1
    tokens = np.arange(500).reshape(5, 100)
    [got] = ov.Core().compile_model(tmp_path / "model.xml", "CPU")([tokens]).values()
    wanted = table[np.concatenate((tokens[:, :1], tokens), axis=1)] @ layer.T
    assert np.corrcoef(got.ravel(), wanted.ravel())[0, 1] > 0.99
