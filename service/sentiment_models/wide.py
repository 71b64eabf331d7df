"""The wide part: NB-SVM over one to three characters, inside the model's own graph.

Wang and Manning, "Baselines and Bigrams" (2012). It knows what the encoder forgets: rare phrases seen a few
times. The graph is given tokens, so what lies inside a token is one weight of the token, and only the pairs
and triples of characters that reach over a token's edge are looked up, by hash. They are counted, not marked
as present: that is no worse here, and needs no comparison of every one with every other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-not-found, import-untyped, unused-ignore]
from sklearn.feature_extraction.text import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    CountVectorizer,
)
from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import Tensor, nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from sentiment_models.encoder import Encoder
from sentiment_models.tokenizer import SPACE, SPECIAL

PENALTY = 0.1
# Grams kept, those of the largest weights: on the calibration part no fewer than all 181,000 are as good.
KEPT = 30_000
# Of the table that they are looked up in. A row holds a check, so that an unknown gram seldom finds a weight.
SLOTS = 1 << 16
# A gram's hash is the sum of an addend for each character, below 2**24: exact in the 32-bit floats that
# OpenVINO may choose for integer arithmetic. A multiplicative hash is not.
_ADDEND = 1 << 22
# A text's odds are divided by (characters / 50) to this power: in a long text each word says less.
LENGTH_POWER = 0.25


def spell(pieces: Sequence[str]) -> list[str]:
    """The characters that each piece stands for; a special piece is one that no text holds."""
    return ["\0" if piece in SPECIAL else piece.replace(SPACE, " ") for piece in pieces]


class Wide(nn.Module):  # type: ignore[misc, unused-ignore]
    """Log-odds by gram, as tables.

    pieces: the tokenizer's, those of the rows first; rows: each token id's row; weights: by gram.
    """

    def __init__(self, pieces: Sequence[str], rows: Sequence[int], weights: Mapping[str, float]) -> None:
        super().__init__()
        spelled = spell(pieces[: max(rows) + 1])
        seeded = torch.Generator().manual_seed(21)
        chars = sorted({*"".join(spelled)})
        drawn = torch.randint(_ADDEND, (len(chars), 3), generator=seeded).tolist()
        addends = dict(zip(chars, drawn, strict=True))
        self.register_buffer("rows", torch.tensor(rows))
        self.register_buffer("lengths", torch.tensor([[float(len(piece))] for piece in spelled]))
        edges = [_edges([addends[char] for char in piece]) for piece in spelled]
        self.register_buffer("edges", torch.tensor(edges, dtype=torch.int32))
        inside = [[sum(weights.get(gram, 0.0) for gram in grams(piece))] for piece in spelled]
        self.register_buffer("tokens", torch.tensor(inside, dtype=torch.float16))
        self.register_buffer("table", _table(weights, addends))
        self.scale = nn.Parameter(torch.ones(1))

    def hashes(self, words: Tensor) -> Tensor:
        """Rows [batch, tokens] → hashes of the grams that end in each token's first or second character and
        began before it [batch, tokens, 3]; the third is -1 where the token has one character."""
        last, first, third, ends, second, several = self.edges[words].unbind(dim=-1)
        before = functional.pad(last[:, :-1], (1, 0))
        # The two characters before: both of the last token, or its one and the last of the token before it.
        two = functional.pad((ends + (1 - several) * before)[:, :-1], (1, 0))
        longer = several * (before + second + 1) - 1
        return torch.stack((before + first, two + third, longer), dim=-1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids, mask [batch, tokens] → log-odds of 正面 [batch, 1], scaled."""
        words, present = self.rows[ids], mask.to(torch.float32)
        hashed = self.hashes(words)
        slot = torch.remainder(hashed, SLOTS)
        check, weight = self.table[slot].float().unbind(dim=-1)
        known = check.int() == torch.div(hashed, SLOTS, rounding_mode="floor")
        odds = self.tokens[words].float().squeeze(-1) + (weight * known.float()).sum(dim=-1)
        characters = (self.lengths[words].squeeze(-1) * present).sum(dim=1, keepdim=True)
        total = (odds * present).sum(dim=1, keepdim=True)
        return total * (characters / 50).pow(-LENGTH_POWER) * self.scale  # type: ignore[no-any-return, unused-ignore]


def grams(text: str) -> list[str]:
    """Its characters, pairs and triples."""
    return [text[start : start + size] for size in (1, 2, 3) for start in range(len(text) - size + 1)]


def _edges(piece: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """What a piece adds to the hashes of the grams over its edges. piece: three addends for each character.

    As a gram's first character; as its second, as its third; as the two before a token; as the two after one;
    whether it has several.
    """
    several = len(piece) > 1
    return (
        piece[-1][0],
        piece[0][1],
        piece[0][2],
        piece[-1][1] + (piece[-2][0] if several else 0),
        piece[0][1] + piece[1][2] if several else 0,
        int(several),
    )


def _table(weights: Mapping[str, float], addends: Mapping[str, Sequence[int]]) -> Tensor:
    """[SLOTS, 2]: check and weight; of grams in one slot the one of the largest weight stays."""
    table = torch.zeros(SLOTS, 2, dtype=torch.float16)
    for gram, weight in sorted(weights.items(), key=lambda item: (abs(item[1]), item[0])):
        if len(gram) > 1 and all(char in addends for char in gram):
            hashed = sum(addends[char][place] for place, char in enumerate(gram))
            table[hashed % SLOTS] = torch.tensor((hashed // SLOTS, weight))
    return table


class WideAndDeep(nn.Module):  # type: ignore[misc, unused-ignore]
    """input_ids, attention_mask [batch, tokens] → logits [batch, 2] of both parts together."""

    def __init__(self, encoder: Encoder, wide: Wide) -> None:
        super().__init__()
        self.encoder, self.wide = encoder, wide

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Half of the wide part's log-odds to each side."""
        odds = self.wide(input_ids, attention_mask) / 2
        return self.encoder(input_ids, attention_mask) + torch.cat((-odds, odds), dim=1)


def fit(
    pieces: Sequence[str], rows: Sequence[int], texts: Sequence[Sequence[int]], labels: NDArray[np.int64]
) -> Wide:
    """The wide part of the training texts (scale 1). texts: token ids; labels: 1 is 正面."""
    spelled = spell(pieces)
    whole = ["".join(spelled[rows[token]] for token in text) for text in texts]
    vectors = CountVectorizer(
        analyzer="char", ngram_range=(1, 3), min_df=2, lowercase=False, dtype=np.float32
    )
    lengths = np.array([len(text) for text in whole], dtype=np.float32)
    counts = sparse.diags((lengths / 50) ** -LENGTH_POWER) @ vectors.fit_transform(whole)
    strongest = np.sort(np.argsort(-np.abs(_fit(counts, labels)), kind="stable")[:KEPT])
    found = _fit(counts[:, strongest], labels)
    names = vectors.get_feature_names_out()[strongest]
    return Wide(pieces, rows, dict(zip(names.tolist(), found.tolist(), strict=True)))


def _fit(counts: Any, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """NB-SVM's weight of each column."""
    good = np.asarray(counts[labels == 1].sum(axis=0)).ravel() + 1.0
    bad = np.asarray(counts[labels == 0].sum(axis=0)).ravel() + 1.0
    ratio = np.log((good / good.sum()) / (bad / bad.sum()))
    linear = LogisticRegression(C=PENALTY, max_iter=300, solver="liblinear")
    linear.fit(counts @ sparse.diags(ratio.astype(np.float32)), labels)
    return np.asarray(linear.coef_[0] * ratio, dtype=np.float64)
