"""The pruned vocabulary and the JSON that the tokenizers library reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sentiment_models import tokenizer
from tokenizers import Tokenizer

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "很好", "机", "機", "餐厅", "餐廳", "好", "很", "▁vista", "9"]
SCORES = [0.0, 0.0, 0.0, 0.0, -3.0, -4.0, -5.0, -9.0, -6.0, -9.5, -5.0, -5.0, -7.0, -6.0]
TABLE = str.maketrans({"機": "机", "廳": "厅"})
TEXTS = ["很好机9", "机很好餐厅", "vista9好机", "机很好9"]


def pruned(size: int = 12) -> tokenizer.Vocabulary:
    used = Counter({5: 3, 6: 4, 8: 1, 10: 1, 12: 1, 13: 3, 4: 4})
    return tokenizer.prune(PIECES, SCORES, used, TEXTS, TABLE, size, minimum=4)


def test_twins_in_the_other_script_share_a_row() -> None:
    found = pruned()
    row = dict(zip(found.pieces, found.rows, strict=True))
    assert found.pieces[:4] == tokenizer.SPECIAL
    assert row["機"] == row["机"]
    assert row["餐廳"] == row["餐厅"]
    assert len(set(found.rows)) == len(found.kept) == max(found.rows) + 1
    assert [PIECES[number] for number in found.kept[4:]] == list(found.pieces[4 : len(found.kept)])


def test_frequent_characters_stay_whatever_the_size() -> None:
    found = pruned(size=6)
    assert "机" in found.pieces
    assert "很好" not in found.pieces
    assert "機" in found.pieces


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    found, path = pruned(), tmp_path / "tokenizer.json"
    tokenizer.write_tokenizer(path, found.pieces, found.scores, max_tokens=6)
    return Tokenizer.from_file(str(path))


def test_the_library_reads_it(loaded: Any) -> None:
    encoded = loaded.encode("很好\n Ｖista")
    assert encoded.tokens == ["[CLS]", "▁", "很好", "▁vista", "[SEP]"]
    assert (encoded.ids[0], encoded.ids[-1]) == (tokenizer.CLS, tokenizer.SEP)
    assert loaded.encode("龘").ids[2] == tokenizer.UNK
    assert len(loaded.encode("很好" * 50).ids) == 6


@pytest.mark.parametrize("text", ["[CLS]", "[UNK]", "</s>", "[SEP]好"])
def test_a_text_cannot_spell_a_special_token(loaded: Any, text: str) -> None:
    inner = loaded.encode(text).ids[1:-1]
    assert not {tokenizer.CLS, tokenizer.PAD, tokenizer.SEP} & set(inner)
