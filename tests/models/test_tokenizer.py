"""The vocabulary and the JSON that the tokenizers library reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentiment_models import tokenizer

TEXTS = ["很好的vista系统", "vista很好", "很好vista", "好 vista 9.5", "vista 機"]


def test_vocabulary() -> None:
    found = tokenizer.build_vocabulary(TEXTS, {"機": "机", "係": "系"}, minimum=1)
    assert [found[name] for name in tokenizer.SPECIAL] == [0, 1, 2, 3, 4]
    assert found["機"] == found["机"]
    assert {"好", "很", "a", "##a", "9", "vista"} <= set(found)
    assert "的" not in tokenizer.build_vocabulary(TEXTS, {}, minimum=2)
    assert sorted(set(found.values())) == list(range(tokenizer.size(found)))


def test_the_library_reads_it_and_keeps_shared_ids(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    path = tmp_path / "tokenizer.json"
    vocabulary = tokenizer.build_vocabulary(TEXTS, {"機": "机"}, minimum=1)
    tokenizer.write_tokenizer(path, vocabulary, max_tokens=6)
    loaded = tokenizers.Tokenizer.from_file(str(path))
    encoded = loaded.encode("很好Ｖista")
    assert encoded.ids[0] == tokenizer.CLS
    assert encoded.ids[-1] == tokenizer.SEP
    assert encoded.ids[1:-1] == [vocabulary["很"], vocabulary["好"], vocabulary["vista"]]
    assert loaded.encode("機").ids == loaded.encode("机").ids
    assert loaded.encode("龘").ids[1] == tokenizer.UNK
    assert len(loaded.encode("很好" * 50).ids) == 6
