"""Tiny random checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"好差快慢棒一般"]
ROWS = [(2, 4, 3), (2, 5, 6, 7, 8, 9, 3), (2, 9, 4, 4, 3)]


def build(**changes: Any) -> Any:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from transformers import (  # type: ignore[import-not-found, unused-ignore]
        BertConfig,
        BertForSequenceClassification,
    )

    torch.manual_seed(3)
    small = {
        "vocab_size": 128, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 32, "initializer_range": 0.8,
        "id2label": {0: "负面", 1: "正面"}, "label2id": {"负面": 0, "正面": 1},
    }  # fmt: skip
    return BertForSequenceClassification(BertConfig(**small | changes)).eval()


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece({w: n for n, w in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
