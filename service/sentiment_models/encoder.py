"""A small encoder of BERT's (and so StructBERT's) shape, and how it begins. Imports torch.

It begins as the lower layers of a public multilingual model with the rows of its embedding that the training
texts use; 17,000 reviews alone teach no encoder what a word means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import Tensor, nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from sentiment_models.pretrained import Pretrained

EPSILON = 1e-12


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes. `rows`: for each token id its row in the embedding; twins in other scripts share one."""

    rows: tuple[int, ...]
    hidden: int = 384
    layers: int = 4
    heads: int = 12
    feed_forward: int = 1280
    positions: int = 512
    dropout: float = 0.1


class Layer(nn.Module):  # type: ignore[misc, unused-ignore]
    """Post-norm attention and feed-forward."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden)
        self.out = nn.Linear(config.hidden, config.hidden)
        self.norm1 = nn.LayerNorm(config.hidden, EPSILON)
        self.up = nn.Linear(config.hidden, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, config.hidden)
        self.norm2 = nn.LayerNorm(config.hidden, EPSILON)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [batch, tokens, hidden], bias [batch, 1, 1, tokens]."""
        batch, tokens, hidden = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, hidden // self.heads).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(
            qkv[0], qkv[1], qkv[2], attn_mask=bias.to(qkv.dtype)
        )
        x = self.norm1(x + self.drop(self.out(attended.transpose(1, 2).reshape(batch, tokens, hidden))))
        return self.norm2(x + self.drop(self.down(functional.gelu(self.up(x)))))  # type: ignore[no-any-return, unused-ignore]


class Encoder(nn.Module):  # type: ignore[misc, unused-ignore]
    """input_ids, attention_mask [batch, tokens] → logits [batch, 2] (负面, 正面)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("rows", torch.tensor(config.rows))
        self.word = nn.Embedding(max(config.rows) + 1, config.hidden)
        self.position = nn.Embedding(config.positions, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, EPSILON)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.pool = nn.Linear(2 * config.hidden, config.hidden)
        self.classify = nn.Linear(config.hidden, 2)
        self.drop = nn.Dropout(config.dropout)
        self.pool_drop = nn.Dropout(0.2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits [batch, 2]; what stands under mask 0 has no part in them."""
        mask = attention_mask.to(torch.float32).unsqueeze(-1)
        far = (mask - 1.0) * 1e4
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.word(self.rows[input_ids]) + self.position(places)
        x = self.drop(self.norm(x))
        for layer in self.layers:
            x = layer(x, far.transpose(1, 2).unsqueeze(1))
        mean = (x * mask).sum(dim=1) / mask.sum(dim=1)
        peak = (x + far).amax(dim=1)
        pooled = functional.gelu(self.pool(self.pool_drop(torch.cat((mean, peak), dim=-1))))
        return self.classify(self.pool_drop(pooled))  # type: ignore[no-any-return, unused-ignore]


def begin(source: Pretrained, kept: Sequence[int], rows: Sequence[int], layers: int, width: int) -> Encoder:
    """An encoder that starts as the first `layers` of `source`.

    kept: the pieces its embedding keeps; width: the neurons each feed-forward part keeps, the strongest.
    """
    encoder = Encoder(
        EncoderConfig(tuple(rows), source.hidden, layers, source.heads, width, source.positions)
    )

    def read(*names: str) -> Tensor:
        return torch.cat([torch.tensor(source.tensors[name]) for name in names])

    def copy(target: Tensor, values: Tensor) -> None:
        target.copy_(values.reshape(target.shape))

    with torch.no_grad():
        words, kind = (read(name).view(-1, source.hidden) for name in ("emb.word", "emb.type"))
        copy(encoder.word.weight, words[list(kept)] + kind[0])
        copy(encoder.position.weight, read("emb.pos"))
        copy(encoder.norm.weight, read("emb.ln.w"))
        copy(encoder.norm.bias, read("emb.ln.b"))
        for index, layer in enumerate(encoder.layers):
            at = f"l{index}."
            for part in ("w", "b"):
                kind_of = {"w": "weight", "b": "bias"}[part]
                copy(getattr(layer.qkv, kind_of), read(*(f"{at}{name}.{part}" for name in "qkv")))
                for module, name in ((layer.out, "ao"), (layer.norm1, "aln"), (layer.norm2, "oln")):
                    copy(getattr(module, kind_of), read(f"{at}{name}.{part}"))
            up = read(f"{at}fi.w").view(-1, source.hidden)
            down = read(f"{at}fo.w").view(source.hidden, -1)
            strength = up.norm(dim=1) * down.norm(dim=0)
            strongest = strength.argsort(descending=True, stable=True)[:width].sort().values
            copy(layer.up.weight, up[strongest])
            copy(layer.up.bias, read(f"{at}fi.b")[strongest])
            copy(layer.down.weight, down[:, strongest])
            copy(layer.down.bias, read(f"{at}fo.b"))
    return encoder
