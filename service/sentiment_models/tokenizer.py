"""A Unigram tokenizer as the JSON that the `tokenizers` library reads, pruned to the training texts. Pure.

Traditional pieces are twins: an id of their own in the tokenizer, the row of their simplified form in the
model. Both scripts are one text to the model and nothing is converted while serving.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPECIAL = ("[CLS]", "[PAD]", "[SEP]", "[UNK]")
CLS, PAD, SEP, UNK = range(4)
SPACE = "▁"


@dataclass(frozen=True)
class Vocabulary:
    """pieces and scores by token id; rows: each id's row; kept: the source's index of each row."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    rows: tuple[int, ...]
    kept: tuple[int, ...]


def is_han(char: str) -> bool:
    """Whether the character is a Chinese one."""
    return "一" <= char <= "鿿" or "㐀" <= char <= "䶿"


def simplify(text: str, table: Mapping[int, str]) -> str:
    """As the model sees a text: lower case, simplified."""
    return text.lower().translate(table)


def prune(
    pieces: Sequence[str],
    scores: Sequence[float],
    used: Mapping[int, int],
    texts: Iterable[str],
    table: Mapping[int, str],
    size: int,
    minimum: int = 4,
) -> Vocabulary:
    """The vocabulary of at most `size` rows: special, every character seen `minimum` times, frequent pieces.

    used: how often `texts`, cut into all of `pieces`, hold each; its first four are the special ones.
    """
    index = {piece: number for number, piece in enumerate(pieces)}
    seen = Counter(char for text in texts for char in text)
    chars = {index[char] for char, times in seen.items() if times >= minimum and char in index}
    kept = {*range(len(SPECIAL)), index[SPACE], *chars}
    for number, _ in sorted(used.items(), key=lambda item: (-item[1], item[0])):
        if len(kept) >= size:
            break
        kept.add(number)
    ordered = sorted(kept)
    rows = {pieces[number]: row for row, number in enumerate(ordered)}
    twins = [
        (piece, number, rows[simple])
        for number, piece in enumerate(pieces)
        if number not in kept and (simple := simplify(piece, table)) != piece and simple in rows
        and any(is_han(char) for char in piece)
    ]  # fmt: skip
    return Vocabulary(
        (
            *SPECIAL,
            *(pieces[number] for number in ordered[len(SPECIAL) :]),
            *(piece for piece, _, _ in twins),
        ),
        tuple(float(scores[number]) for number in (*ordered, *(number for _, number, _ in twins))),
        (*range(len(ordered)), *(row for _, _, row in twins)),
        tuple(ordered),
    )


def tokenizer_json(pieces: Sequence[str], scores: Sequence[float], max_tokens: int) -> dict[str, Any]:
    """The content of tokenizer.json; truncation is set here, once.

    The special tokens are not `added_tokens`: a text that spells one stays a text (it is lower-cased first).
    """
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Right", "max_length": max_tokens, "strategy": "LongestFirst", "stride": 0,
        },
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFKC"},
                {
                    "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False,
                    "strip_accents": None, "lowercase": True,
                },
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {
            "type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True,
        },
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", SEP], "cls": ["[CLS]", CLS]},
        "decoder": {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True},
        "model": {
            "type": "Unigram", "unk_id": UNK, "byte_fallback": False,
            "vocab": [list(pair) for pair in zip(pieces, scores, strict=True)],
        },
    }  # fmt: skip


def write_tokenizer(path: Path, pieces: Sequence[str], scores: Sequence[float], max_tokens: int) -> None:
    """Write tokenizer.json by hand: its content depends on no library's version."""
    content = tokenizer_json(pieces, scores, max_tokens)
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")


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
