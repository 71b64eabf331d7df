"""The fast tokenizer cuts as the slow one does, on 10,000 texts with every oddity of Unicode."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.models

ODD = [
    "", " ", "\t\n\r", "\0", "\x1c", "\x85", "\u00a0", "\u200b", "\u200d", "\u2028", "\u2029", "\u3000",
    "\ufeff", "\ufffd", "\ue000", "é", "e\u0301", "İ", "ß", "ﬁ", "ｱﾞ",
    "ΑΣ", "ΑΣΑ", "가", "각", "が", "か\u3099", "😀", "👨‍👩‍👧",
    "🇨🇳", "🫨", "☺️", "𠀀", "𫠝", "\U0002b8ff", "豈", "\ufa6e", "𑤸", "\u1734", "𑇉", "\u166d", "\u061d", "⹕",
    "——", "……", "！？", "「」", "$^`~", "[SEP]", "[CLS]好", "[mask]", "[MASK]", "##好", "a" * 101, "好" * 300,
    "iPhone15Pro", "不錯", "Ⅷ", "½", "١٢", "ไทย", "हिन्दी", "עִבְרִית",
]  # fmt: skip


def texts(count: int) -> list[str]:
    rng = random.Random(11)
    common = "的一是不好很差房间服务质量手机书电脑漂亮了吗呢"
    ascii_ = "".join(map(chr, range(32, 127)))

    def piece() -> str:
        kind = rng.random()
        if kind < 0.35:
            return "".join(rng.choices(common, k=rng.randint(1, 12)))
        if kind < 0.55:
            return "".join(rng.choices(ascii_, k=rng.randint(1, 12)))
        if kind < 0.75:
            return rng.choice(ODD)
        top = 0x3100 if kind < 0.85 else sys.maxunicode + 1
        codes = [rng.randrange(top) for _ in range(rng.randint(1, 6))]
        return "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)

    return ODD + ["".join(piece() for _ in range(rng.randint(1, 8))) for _ in range(count - len(ODD))]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": False},
        {"tokenize_chinese_chars": False},
        {"do_lower_case": True, "strip_accents": False},
    ],
    ids=["lower", "cased", "no-ideographs", "accents-kept"],
)
def test_ten_thousand_texts(tmp_path: Path, settings: dict[str, bool]) -> None:
    from sentiment_models.checkpoint import tokens
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

    chars = sorted({char for text in texts(3000) for char in text.lower() if char.strip()})
    kept = [char for number, char in enumerate(chars) if number % 5]
    words = list(dict.fromkeys([*tokens.SPECIAL, *kept, *(f"##{char}" for char in kept), "iphone", "##pro"]))
    words = [word for word in words if len(word.splitlines()) == 1]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    slow = BertTokenizerLegacy(str(tmp_path / "vocab.txt"), **settings)
    fast = tokens.wordpiece(tokens.read_vocabulary(tmp_path / "vocab.txt"), settings)
    differ = []
    for text in texts(10_000 if not settings else 2_000):
        expected = slow.convert_tokens_to_ids(slow.tokenize(text))
        found = fast.encode(text, add_special_tokens=False).ids
        if expected != found:
            differ.append((text, slow.convert_ids_to_tokens(expected), slow.convert_ids_to_tokens(found)))
    assert differ == []
    whole = fast.encode("好").ids
    assert (whole[0], whole[-1]) == (words.index("[CLS]"), words.index("[SEP]"))
