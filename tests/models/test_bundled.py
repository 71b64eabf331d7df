"""The committed package, run as the service runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino  # type: ignore[import-untyped]
import pytest
from sentiment_models import calibrate, everyday, package, report, runtime

BUNDLED = Path(__file__).parents[2] / "service" / "sentiment_service" / "bundled"
TEXTS = ("很好", "这款手机拍照效果真的很棒，电池续航也很给力！", "太差了，" * 60)


@pytest.fixture(scope="module")
def encode() -> Any:
    return runtime.load_tokenizer(BUNDLED / "tokenizer.json")


@pytest.fixture(scope="module")
def compiled() -> runtime.Compiled:
    return runtime.Compiled(BUNDLED / "model.xml")


def test_padding_changes_no_logit(encode: Any, compiled: runtime.Compiled) -> None:
    rows = report.tokenise(encode, TEXTS)
    longest = max(map(len, rows)) + 7
    ids, mask = np.zeros((2, len(rows), longest), dtype=np.int64)
    ids[:] = 11
    for line, row in enumerate(rows):
        ids[line, : len(row)], mask[line, : len(row)] = row, 1
    # int8 activations: a batch may be summed in another order, which can move a value by one step.
    assert np.abs(compiled.run(ids, mask) - compiled.logits(rows)).max() < 0.02


def test_the_precision_a_machine_prefers_changes_no_answer(encode: Any, compiled: runtime.Compiled) -> None:
    rows = report.tokenise(encode, TEXTS)
    preferred = openvino.Core().compile_model(BUNDLED / "model.xml", "CPU").create_infer_request()
    for row, expected in zip(rows, compiled.logits(rows), strict=True):
        ids = np.array([row], dtype=np.int64)
        found = preferred.infer({"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        assert np.abs(found - expected).max() < 0.15


def test_both_scripts_are_one_text(encode: Any) -> None:
    simplified, traditional = (
        encode.encode(text).ids for text in ("这家餐厅的菜很好吃", "這家餐廳的菜很好吃")
    )
    assert len(simplified) == len(traditional)


def test_everyday_sentences_as_the_card_says(encode: Any, compiled: runtime.Compiled) -> None:
    manifest = package.verify(BUNDLED)
    band = manifest["neutral"]
    found = calibrate.Calibration(
        manifest["temperature"], manifest["bias"], manifest["threshold"], band["low"], band["high"]
    )
    scores = compiled.logits(report.tokenise(encode, [text for text, _ in everyday.CHECK]))
    p = found.probability(scores[:, 1] - scores[:, 0])
    right = [
        report.name_of(value, manifest) in expected
        for value, (_, expected) in zip(p, everyday.CHECK, strict=True)
    ]
    assert all(right[:6]), "the article's own examples"
    assert sum(right) >= 29
