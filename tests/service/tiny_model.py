"""A tiny real model package: fixed weights, the real tokeniser library, the real engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov  # type: ignore[import-untyped]
from openvino import opset13 as ops
from starlette.testclient import TestClient
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
# How far each character pushes towards positive.
WEIGHTS = {
    "好": 6.0,
    "棒": 9.0,
    "快": 5.0,
    "实": 2.0,
    "惠": 5.0,
    "差": -9.0,
    "慢": -7.0,
    "平": 0.2,
    "一": 0.0,
}
MAX_TOKENS = 32

Serve = Callable[..., TestClient]


def write_package(
    directory: Path, *, weights: dict[str, float] = WEIGHTS, special: float = 0.0, **changes: Any
) -> Path:
    """Logits are (-s, s)/2 where s is the sum of the characters' weights, and of `special` for others."""
    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *weights])}
    table = np.full((len(vocabulary), 2), special, dtype=np.float32)
    for char, weight in weights.items():
        table[vocabulary[char]] = (-weight / 2, weight / 2)
    input_ids = ops.parameter([-1, -1], np.int64, name="input_ids")
    attention_mask = ops.parameter([-1, -1], np.int64, name="attention_mask")
    for port in (input_ids, attention_mask):
        port.output(0).get_tensor().set_names({port.get_friendly_name()})
    rows = ops.gather(ops.constant(table), input_ids, ops.constant(0))
    mask = ops.unsqueeze(ops.convert(attention_mask, "f32"), ops.constant(2))
    logits = ops.reduce_sum(ops.multiply(rows, mask), ops.constant([1]), False)
    model = ov.Model([logits], [input_ids, attention_mask], "tiny")
    ov.save_model(model, directory / "model.xml", compress_to_fp16=False)

    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(directory / "tokenizer.json"))
    manifest: dict[str, Any] = {
        "name": "tiny",
        "version": "1",
        "source": "tests",
        "revision": "none",
        "labels": ["负面", "正面"],
        "max_tokens": MAX_TOKENS,
        "precision": "fp32",
        "temperature": 1.0,
        "bias": 0.0,
        "threshold": 0.5,
        "neutral": {"low": 0.4, "high": 0.6},
        "accuracy": {},
        "versions": {},
        **changes,
    }
    manifest["files"] = {
        name: {
            "sha256": hashlib.sha256((directory / name).read_bytes()).hexdigest(),
            "bytes": (directory / name).stat().st_size,
        }
        for name in ("model.xml", "model.bin", "tokenizer.json")
    }
    whole = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    manifest["digest"] = f"sha256:{whole}"
    (directory / "model.json").write_text(json.dumps(manifest, ensure_ascii=False))
    return directory
