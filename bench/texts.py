"""Deterministic texts and the vocabulary that covers them. Pure."""

from __future__ import annotations

import random
import string

MEDIAN_TOKENS, SIGMA, MAX_TOKENS = 35, 0.7, 256
VOCABULARY_SIZE = 21128
SPECIAL = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
PUNCTUATION = "，。！？、；：“”‘’（）《》【】…—～·"


def gb2312(first: int, last: int) -> str:
    """The characters of these GB 2312 rows; rows 16 to 55 hold the 3,755 most used."""
    cells = (bytes((0xA0 + row, 0xA0 + cell)) for row in range(first, last + 1) for cell in range(1, 95))
    return b"".join(cells).decode("gb2312", errors="ignore")


COMMON = gb2312(16, 55)


def vocabulary() -> list[str]:
    """The 21,128 tokens of a Chinese BERT, laid out like bert-base-chinese: specials at 0 and 100 to 103."""
    tokens = [SPECIAL.get(index, f"[unused{index}]") for index in range(104)]
    ascii_words = string.punctuation + string.digits + string.ascii_lowercase
    tokens += [*ascii_words, *PUNCTUATION, *(f"##{c}" for c in string.digits + string.ascii_lowercase)]
    tokens += [*COMMON, *gb2312(56, 87)]
    tokens = list(dict.fromkeys(tokens))
    known = set(tokens)
    rest = (chr(code) for code in range(0x4E00, 0xA000))
    tokens += [char for char in rest if char not in known][: VOCABULARY_SIZE - len(tokens)]
    return tokens + [f"[unused{index}]" for index in range(104, 104 + VOCABULARY_SIZE - len(tokens))]


def lengths(count: int, seed: int) -> list[int]:
    """Tokens per text, [CLS] and [SEP] included: lognormal, median 35, at most 256."""
    chance = random.Random(seed)
    return [
        max(3, min(MAX_TOKENS, round(MEDIAN_TOKENS * chance.lognormvariate(0, SIGMA)))) for _ in range(count)
    ]


def reviews(count: int, seed: int = 1) -> list[str]:
    """Distinct texts of common characters, a punctuation mark about every twelfth: one token a character."""
    chance = random.Random(seed + 1_000_000)
    texts = []
    for tokens in lengths(count, seed):
        chars = chance.choices(COMMON, k=tokens - 2)
        for at in range(11, len(chars) - 1, 12):
            chars[at] = chance.choice("，。！？、")
        texts.append("".join(chars))
    return list(dict.fromkeys(texts))
