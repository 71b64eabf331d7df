"""The wide part: NB-SVM over hashed tokens and pairs of tokens, inside the model's own graph.

Wang and Manning, "Baselines and Bigrams" (2012); hashed, so that it needs no vocabulary of pairs. It knows
what the encoder forgets: rare phrases seen a few times. Pairs are counted, not marked as present: on these
texts that is no worse, and needs no comparison of every token with every other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-not-found, import-untyped, unused-ignore]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import Tensor, nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from sentiment_models.encoder import Encoder

PAIRS = 1 << 17
PENALTY = 0.1


class Wide(nn.Module):  # type: ignore[misc, unused-ignore]
    """One weight for each token and for each hashed pair."""

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("rows", torch.tensor(rows))
        self.sizes = (max(rows) + 1, PAIRS)
        # Fixed random addends per token: a sum and one comparison, exact in the 32-bit floats that OpenVINO
        # may choose for integer arithmetic. A multiplicative hash is not.
        seeded = torch.Generator().manual_seed(21)
        for name in ("first", "second"):
            self.register_buffer(name, torch.randint(PAIRS, self.sizes[:1], generator=seeded))
        self.tables = nn.ModuleList(nn.Embedding(size, 1, dtype=torch.float16) for size in self.sizes)
        self.scale = nn.Parameter(torch.ones(1))

    def grams(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of both tables, each [batch, tokens]; a token's pair is with the one before it."""
        words = self.rows[ids]
        before = functional.pad(words[:, :-1], (1, 0))
        pair = self.first[before] + self.second[words]
        return words, torch.where(pair >= PAIRS, pair - PAIRS, pair)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids, mask [batch, tokens] → log-odds of 正面 [batch, 1], scaled."""
        words, pairs = self.grams(ids)
        odds = self.tables[0](words).float() + self.tables[1](pairs).float()
        return (odds.squeeze(-1) * mask.to(torch.float32)).sum(dim=1, keepdim=True) * self.scale


class WideAndDeep(nn.Module):  # type: ignore[misc, unused-ignore]
    """input_ids, attention_mask [batch, tokens] → logits [batch, 2] of both parts together."""

    def __init__(self, encoder: Encoder, wide: Wide) -> None:
        super().__init__()
        self.encoder, self.wide = encoder, wide

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Half of the wide part's log-odds to each side."""
        odds = self.wide(input_ids, attention_mask) / 2
        return self.encoder(input_ids, attention_mask) + torch.cat((-odds, odds), dim=1)


def fit(shared: Sequence[int], texts: Sequence[Sequence[int]], labels: NDArray[np.int64]) -> Wide:
    """The wide part of the training texts (scale 1). shared: each token id's row."""
    wide = Wide(shared)
    flat = []
    for text in texts:
        words, pairs = wide.grams(torch.tensor([text]))
        flat.append(np.concatenate((words[0].numpy(), pairs[0].numpy() + wide.sizes[0])))
    ends = np.cumsum([0, *(len(columns) for columns in flat)])
    columns = np.concatenate(flat)
    shape = (len(texts), sum(wide.sizes))
    counts = sparse.csr_matrix((np.ones(len(columns), dtype=np.float32), columns, ends), shape=shape)
    counts.sum_duplicates()
    good = np.asarray(counts[labels == 1].sum(axis=0)).ravel() + 1.0
    bad = np.asarray(counts[labels == 0].sum(axis=0)).ravel() + 1.0
    ratio = np.log((good / good.sum()) / (bad / bad.sum()))
    linear = LogisticRegression(C=PENALTY, max_iter=300, solver="liblinear")
    linear.fit(counts @ sparse.diags(ratio.astype(np.float32)), labels)
    weights = np.split(linear.coef_[0] * ratio, wide.sizes[:1])
    with torch.no_grad():
        for table, values in zip(wide.tables, weights, strict=True):
            table.weight.copy_(torch.tensor(values).unsqueeze(1))
    return wide
