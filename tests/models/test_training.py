"""The parts that need torch: how the encoder begins, the wide part, and what conversion keeps."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch  # type: ignore[import-not-found, unused-ignore]
from hypothesis import given
from hypothesis import strategies as st
from sentiment_models import export, runtime, wide
from sentiment_models.encoder import Encoder, EncoderConfig, begin
from sentiment_models.pretrained import Pretrained
from sentiment_models.tokenizer import SPECIAL
from sentiment_models.wide import WideAndDeep

pytestmark = pytest.mark.models

# One to three of five characters each; the last two ids are twins of 7 and 8.
CHARS = "好坏不很\0"
PIECES = (
    *SPECIAL,
    *(
        "".join(CHARS[(7 * row + row // 5 * place) % 4] for place in range(1 + row % 3))
        for row in range(4, 120)
    ),
    "齊",
    "齒",
)
ROWS = (*range(120), 7, 8)
CONFIG = EncoderConfig(ROWS, hidden=32, layers=2, heads=2, feed_forward=48, positions=64)
# All grams there can be; few enough that no two want one place in the table.
WEIGHTS = {
    "".join(gram): 1.0 - 2.0 * (number % 3)
    for size in (1, 2, 3)
    for number, gram in enumerate(itertools.product(CHARS, repeat=size))
}
PART = wide.Wide(PIECES, ROWS, WEIGHTS)
GOOD, BAD = [0, 10, 11, 2], [0, 20, 21, 2]


def source() -> Pretrained:
    """A random model of two layers in the file's layout."""
    draw = np.random.default_rng(0)
    sizes = {"emb.word": 130 * 32, "emb.pos": 64 * 32, "emb.type": 32, "emb.ln.w": 32, "emb.ln.b": 32}
    for at in ("l0.", "l1."):
        for name in ("q", "k", "v", "ao"):
            sizes |= {f"{at}{name}.w": 32 * 32, f"{at}{name}.b": 32}
        sizes |= {f"{at}fi.w": 64 * 32, f"{at}fi.b": 64, f"{at}fo.w": 32 * 64, f"{at}fo.b": 32}
        sizes |= {f"{at}{name}.{part}": 32 for name in ("aln", "oln") for part in "wb"}
    tensors = {name: draw.normal(0, 0.3, size).astype(np.float32) for name, size in sizes.items()}
    return Pretrained(32, 2, 2, 64, 64, ("",) * 130, np.zeros(130, np.float32), tensors)


def linear() -> wide.Wide:
    return wide.fit(PIECES, ROWS, [GOOD, BAD] * 30, np.array([1, 0] * 30))


def odds(part: wide.Wide, *rows: list[int]) -> list[float]:
    with torch.no_grad():
        return [float(part(torch.tensor([row]), torch.ones(1, len(row)))) for row in rows]


def test_the_encoder_begins_as_the_source() -> None:
    given, kept = source(), list(range(5, 125))
    encoder = begin(given, kept, ROWS, layers=1, width=16)
    words = given.tensors["emb.word"].reshape(-1, 32)
    assert torch.equal(encoder.word.weight[3], torch.tensor(words[8] + given.tensors["emb.type"]))
    qkv = encoder.layers[0].qkv.weight
    assert torch.equal(qkv[32:64], torch.tensor(given.tensors["l0.k.w"]).view(32, 32))
    up = given.tensors["l0.fi.w"].reshape(64, 32)
    down = given.tensors["l0.fo.w"].reshape(32, 64)
    strongest = np.sort(np.argsort(-np.linalg.norm(up, axis=1) * np.linalg.norm(down, axis=0))[:16])
    assert torch.equal(encoder.layers[0].up.weight, torch.tensor(up[strongest]))
    assert torch.equal(encoder.layers[0].down.weight, torch.tensor(down[:, strongest]))
    assert len(encoder.layers) == 1


def test_twins_and_padding_change_nothing() -> None:
    torch.manual_seed(0)
    model = WideAndDeep(Encoder(CONFIG), linear()).eval()
    row = [0, 7, 8, 30, 2]
    ids = torch.full((2, 9), 11)
    ids[0, :5], ids[1, :5] = torch.tensor(row), torch.tensor([0, 120, 121, 30, 2])
    mask = (torch.arange(9) < 5).long().expand(2, 9)
    with torch.no_grad():
        alone = model(torch.tensor([row]), torch.ones(1, 5, dtype=torch.int64))
        padded = model(ids, mask)
    torch.testing.assert_close(padded, alone.expand(2, 2), atol=1e-5, rtol=0)


def test_the_wide_part_learns_and_adds_up() -> None:
    part = linear()
    good, bad, unknown = odds(part, GOOD, BAD, [0, 33, 34, 2])
    assert bad < 0 < good
    assert abs(unknown) < min(good, -bad)
    once, twice = odds(part, [10], [10, 2, 10])
    assert twice > once
    with torch.no_grad():
        part.scale.fill_(2.0)
    assert odds(part, GOOD)[0] == pytest.approx(2 * good, rel=1e-5)


@given(st.lists(st.integers(4, 121), min_size=1, max_size=30))
def test_the_wide_part_is_the_sum_of_its_grams(tokens: list[int]) -> None:
    row = [0, *tokens, 2]
    text = "".join(wide.spell(PIECES)[ROWS[token]] for token in row)
    expected = sum(WEIGHTS.get(gram, 0.0) for gram in wide.grams(text)) * (len(text) / 50) ** -0.25
    assert odds(PART, row)[0] == pytest.approx(expected, rel=0.01, abs=0.02)


def test_conversion_keeps_the_logits_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = WideAndDeep(Encoder(CONFIG), linear())
    converted = export.convert(model)
    rows = [GOOD, BAD, [0, 120, *range(5, 39), 2], [0, 2]]
    assert export.check(converted, model, rows) <= export.TOLERANCE
    export.save(export.weights_only(converted), tmp_path)
    stored = runtime.Compiled(tmp_path / "model.xml").logits(rows)
    assert np.abs(stored - runtime.Compiled(converted).logits(rows)).max() < 0.1
    with torch.no_grad():
        model.encoder.classify.bias += 1.0
    with pytest.raises(export.ConversionError, match=r"differ from torch's by 1\.0"):
        export.check(converted, model, rows)
