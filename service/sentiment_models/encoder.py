"""The encoder: a small StructBERT-style transformer with hashed character n-grams in its embedding block.

Word order comes from the n-grams and from depthwise mixing with the neighbours in every layer, not from a
table of positions: a text longer than any in training has no untrained position.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import Tensor, nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes. `bigrams` and `trigrams` are rows of the hash tables."""

    vocabulary: int
    hidden: int = 192
    layers: int = 3
    heads: int = 4
    feed_forward: int = 640
    bigrams: int = 50000
    trigrams: int = 30000
    gram_width: int = 48
    dropout: float = 0.15
    gram_dropout: float = 0.3


def _shift(x: Tensor, by: int) -> Tensor:
    """Neighbours of [batch, tokens, width] (1: the one before, -1: the one after), zero at the ends."""
    if by > 0:
        return functional.pad(x[:, :-by], (0, 0, by, 0))
    return functional.pad(x[:, -by:], (0, 0, 0, -by))


def _wrap(number: Tensor, rows: int) -> Tensor:
    """number mod rows, for numbers below 2·rows."""
    return torch.where(number >= rows, number - rows, number)


class Embedding(nn.Module):  # type: ignore[misc, unused-ignore]
    """Characters, hashed bigrams and trigrams, one convolution over three neighbours."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.rows = (config.bigrams, config.trigrams)
        # Fixed random addends per character: sums and one comparison, exact in the 32-bit floats that
        # OpenVINO may choose for integer arithmetic. A multiplicative hash is not.
        seeded = torch.Generator().manual_seed(20)
        for index, rows in enumerate((config.bigrams, config.bigrams, *(config.trigrams,) * 3)):
            self.register_buffer(f"hash{index}", torch.randint(rows, (config.vocabulary,), generator=seeded))
        self.char = nn.Embedding(config.vocabulary, config.hidden)
        self.bigram = nn.Embedding(config.bigrams, config.gram_width)
        self.trigram = nn.Embedding(config.trigrams, config.gram_width)
        self.project = nn.Linear(2 * config.gram_width, config.hidden, bias=False)
        self.convolve = nn.Linear(3 * config.hidden, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)
        self.drop = nn.Dropout(config.dropout)
        self.gram_drop = nn.Dropout(config.gram_dropout)
        nn.init.normal_(self.char.weight, std=0.05)
        nn.init.normal_(self.bigram.weight, std=0.02)
        nn.init.normal_(self.trigram.weight, std=0.02)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """ids [batch, tokens], mask [batch, tokens, 1] → x [batch, tokens, hidden], grams [..., 2·width]."""
        before = functional.pad(ids[:, :-1], (1, 0))
        before2 = functional.pad(ids[:, :-2], (2, 0))
        pair = _wrap(self.hash0[before] + self.hash1[ids], self.rows[0])
        first = _wrap(self.hash2[before2] + self.hash3[before], self.rows[1])
        triple = _wrap(first + self.hash4[ids], self.rows[1])
        grams = torch.cat((self.bigram(pair), self.trigram(triple)), dim=-1) * mask
        grams = self.gram_drop(grams)
        x = self.norm(self.char(ids) + self.project(grams)) * mask
        wide = torch.cat((_shift(x, 1), x, _shift(x, -1)), dim=-1)
        return self.drop(x + functional.gelu(self.convolve(wide))) * mask, grams


class Layer(nn.Module):  # type: ignore[misc, unused-ignore]
    """Pre-norm attention and feed-forward; the attention's input is mixed with its neighbours."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.mix = nn.Parameter(torch.tensor([0.2, 1.0, 0.2]).repeat(config.hidden, 1).T.clone())
        self.norm1, self.norm2 = nn.LayerNorm(config.hidden), nn.LayerNorm(config.hidden)
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        self.out = nn.Linear(config.hidden, config.hidden)
        self.up = nn.Linear(config.hidden, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, config.hidden)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor, bias: Tensor) -> Tensor:
        """x [batch, tokens, hidden], mask [batch, tokens, 1], bias [batch, 1, 1, tokens]."""
        batch, tokens, hidden = x.shape
        y = self.norm1(x) * mask
        y = _shift(y, 1) * self.mix[0] + y * self.mix[1] + _shift(y, -1) * self.mix[2]
        qkv = self.qkv(y).view(batch, tokens, 3, self.heads, hidden // self.heads).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(
            qkv[0], qkv[1], qkv[2], attn_mask=bias.to(qkv.dtype)
        )
        x = x + self.drop(self.out(attended.transpose(1, 2).reshape(batch, tokens, hidden)))
        return x + self.drop(self.down(functional.gelu(self.up(self.norm2(x)))))


class Encoder(nn.Module):  # type: ignore[misc, unused-ignore]
    """input_ids, attention_mask [batch, tokens] → logits [batch, 2] (负面, 正面)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.hidden)
        self.pool = nn.Linear(2 * config.hidden + 2 * config.gram_width, config.hidden)
        self.drop = nn.Dropout(0.3)
        self.classify = nn.Linear(config.hidden + 2 * config.gram_width, 2)

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states [batch, tokens, hidden], grams [batch, tokens, 2·width], mask [batch, tokens, 1]."""
        mask = attention_mask.to(torch.float32).unsqueeze(-1)
        bias = ((mask - 1.0) * 1e4).transpose(1, 2).unsqueeze(1)
        x, grams = self.embedding(input_ids, mask)
        for layer in self.layers:
            x = layer(x, mask, bias)
        return self.norm(x), grams, mask

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits [batch, 2]; what stands under mask 0 has no part in them."""
        x, grams, mask = self.encode(input_ids, attention_mask)
        count = mask.sum(dim=1)
        mean = (x * mask).sum(dim=1) / count
        peak = (x + (mask - 1.0) * 1e4).amax(dim=1)
        bag = grams.sum(dim=1) / count.sqrt()
        pooled = functional.gelu(self.pool(self.drop(torch.cat((mean, peak, bag), dim=-1))))
        return self.classify(self.drop(torch.cat((pooled, bag), dim=-1)))  # type: ignore[no-any-return, unused-ignore]
