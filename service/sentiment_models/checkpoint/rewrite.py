"""A checkpoint as the torch engine takes it. Imports torch and transformers; runs in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentiment_models.calibrate import Floats
from sentiment_models.checkpoint import convert
from sentiment_models.checkpoint.layout import Checkpoint


def rewrite(
    checkpoint: Checkpoint, labels: tuple[str, str], folder: Path, rows: Sequence[Sequence[int]]
) -> Floats:
    """Write config.json and model.safetensors, negative first, and give the logits of `rows` by them."""
    _no_bars()
    model, _ = convert.load(checkpoint)
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: row for row, label in enumerate(labels)}
    model.save_pretrained(folder)
    return logits(folder, rows)


def logits(folder: Path, rows: Sequence[Sequence[int]]) -> Floats:
    """[rows, 2] in fp32, of what lies in `folder`. ValueError: weights are missing, or classes not two."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    from transformers import (  # type: ignore[import-not-found, unused-ignore]
        AutoModelForSequenceClassification,
    )

    _no_bars()
    model, report = AutoModelForSequenceClassification.from_pretrained(
        str(folder), dtype=torch.float32, local_files_only=True, trust_remote_code=False,
        use_safetensors=True, output_loading_info=True,
    )  # fmt: skip
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"no weights for {missing[0]}")  # transformers fills them with random numbers
    model.eval()
    with torch.inference_mode():
        found = [model(input_ids=torch.tensor([list(row)])).logits[0].double().numpy() for row in rows]
    return np.array(found).reshape(len(rows), 2)


def _no_bars() -> None:
    """What a Job logs is read by lines."""
    from transformers.utils import logging  # type: ignore[import-not-found, unused-ignore]

    logging.disable_progress_bar()
