"""Quantising holds little in memory, and makes what NNCF's own way would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentiment_models import isolated, quantise
from sentiment_models.quantise import Candidate

pytestmark = pytest.mark.models

ROWS = [[2, *range(5, 5 + length), 3] for length in (1, 7, 7, 30, 60)]


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sentiment_models.checkpoint import convert, layout

    from tests.models import checkpoints

    folder = tmp_path_factory.mktemp("fp32")
    convert.convert(layout.read(checkpoints.hugging_face(folder / "c")), folder / "model.xml", ROWS)
    return folder / "model.xml"


def torch_after(*args: Any) -> list[str]:
    """The modules of torch that a process holds which has made a candidate."""
    quantise.make(*args)
    return [name for name, module in sys.modules.items() if name.split(".")[0] == "torch" and module]


@pytest.mark.parametrize("how", ["weights", "post-training"])
def test_nothing_but_the_model_is_left_and_torch_is_not_loaded(fp32: Path, tmp_path: Path, how: str) -> None:
    loaded = isolated.run(torch_after, Candidate("int8", how), fp32, tmp_path / "model.xml", ROWS)
    assert loaded == []
    assert {path.name for path in tmp_path.iterdir()} == {"model.xml", "model.bin"}


def directly(fp32: Path, out: Path) -> None:
    """Post-training quantisation in one call of NNCF's, with all its copies in memory."""
    import nncf
    import openvino as ov  # type: ignore[import-not-found, import-untyped, unused-ignore]

    def inputs(row: list[int]) -> dict[str, Any]:
        return {"input_ids": np.array([row]), "attention_mask": np.ones((1, len(row)), np.int64)}

    quantised = nncf.quantize(
        ov.Core().read_model(fp32), nncf.Dataset(ROWS, inputs), model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED, subset_size=len(ROWS),
    )  # fmt: skip
    ov.save_model(nncf.compress_weights(quantised, mode=nncf.CompressWeightsMode.INT8_SYM), out)


def test_post_training_in_two_steps_gives_the_same_weights_as_in_one(fp32: Path, tmp_path: Path) -> None:
    found, expected = tmp_path / "found.xml", tmp_path / "expected.xml"
    isolated.run(quantise.make, Candidate("int8", "post-training"), fp32, found, ROWS)
    isolated.run(directly, fp32, expected)
    assert found.with_suffix(".bin").read_bytes() == expected.with_suffix(".bin").read_bytes()


@pytest.mark.parametrize(
    ("widths", "size"),
    [
        ([768, 768, 3072], 256),
        ([384, 1536], 192),
        ([312, 1200], 0),
        ([384, 1200], 48),
        ([128, 512], 128),
        ([1024, 4096], 256),
    ],
)
def test_as_many_activations_share_a_scale_as_are_quick(widths: list[int], size: int) -> None:
    assert quantise.group(widths) == size
