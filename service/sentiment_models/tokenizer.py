"""A character-level BERT tokenizer as the JSON that the `tokenizers` library reads. Pure.

Traditional characters share the id of their simplified form (two words of the vocabulary, one id), so that
both scripts are one text to the model and nothing is converted while serving.
"""

from __future__ import annotations

import json
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)


def is_han(char: str) -> bool:
    """Whether BERT's normaliser puts blanks around the character."""
    return "一" <= char <= "鿿" or "㐀" <= char <= "䶿"


def build_vocabulary(
    texts: Iterable[str], traditional: Mapping[str, str], minimum: int = 2, words: int = 300
) -> dict[str, int]:
    """Token → id from training texts: characters seen `minimum` times, ASCII, frequent Latin words."""
    chars: Counter[str] = Counter()
    latin: Counter[str] = Counter()
    for text in texts:
        lower = unicodedata.normalize("NFKC", text).lower()
        chars.update(traditional.get(char, char) for char in lower if not char.isspace())
        cleaned = "".join(char if char in string.ascii_lowercase else " " for char in lower)
        latin.update(word for word in cleaned.split() if len(word) > 1)
    alphabet = string.ascii_lowercase + string.digits
    singles = [char for char, seen in sorted(chars.items()) if seen >= minimum and char not in alphabet]
    frequent = sorted(word for word, seen in latin.most_common(words) if seen >= 5)
    tokens = [*SPECIAL, *alphabet, *(f"##{char}" for char in alphabet), *singles, *frequent]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    for old, new in sorted(traditional.items()):
        if old not in vocabulary and new in vocabulary:
            vocabulary[old] = vocabulary[new]
    return vocabulary


def tokenizer_json(vocabulary: Mapping[str, int], max_tokens: int) -> dict[str, Any]:
    """The content of tokenizer.json; truncation is set here, once."""
    special = [
        {
            "id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True,
        }
        for index, token in enumerate(SPECIAL)
    ]  # fmt: skip
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Right", "max_length": max_tokens, "strategy": "LongestFirst", "stride": 0,
        },
        "padding": None,
        "added_tokens": special,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFKC"},
                {
                    "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                    "strip_accents": None, "lowercase": True,
                },
            ],
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", SEP], "cls": ["[CLS]", CLS]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": dict(vocabulary),
        },
    }  # fmt: skip


def write_tokenizer(path: Path, vocabulary: Mapping[str, int], max_tokens: int) -> None:
    """Write tokenizer.json by hand: the library's own writer would lose the shared ids."""
    path.write_text(json.dumps(tokenizer_json(vocabulary, max_tokens), ensure_ascii=False), "utf-8")


def traditional_table() -> dict[str, str]:
    """Traditional → simplified, character by character, from snownlp's table.

    A character of GB 2312 is left alone: it is in use in simplified text too.
    """
    from snownlp.normal.zh import zh2hans  # type: ignore[import-not-found, import-untyped, unused-ignore]

    pairs: dict[str, str] = {}
    for old, new in zh2hans.items():
        if len(old) == len(new) == 1 and old != new and is_han(old) and not _in_gb2312(old):
            pairs[old] = new
    return pairs


def _in_gb2312(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def size(vocabulary: Mapping[str, int]) -> int:
    """Number of ids (not of words)."""
    return max(vocabulary.values()) + 1
