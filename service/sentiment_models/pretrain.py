"""StructBERT's word-structural pre-training on the training texts: masked and shuffled characters."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import Tensor, nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from sentiment_models import batches
from sentiment_models.encoder import Encoder
from sentiment_models.tokenizer import MASK, SPECIAL


class Restore(nn.Module):  # type: ignore[misc, unused-ignore]
    """Scores of the original characters [selected, vocabulary]; the output table is the input's."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        hidden = encoder.config.hidden
        self.encoder = encoder
        self.transform = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.bias = nn.Parameter(torch.zeros(encoder.config.vocabulary))

    def forward(self, ids: Tensor, mask: Tensor, chosen: Tensor) -> Tensor:
        """ids, mask, chosen [batch, tokens]."""
        states, _, _ = self.encoder.encode(ids, mask)
        picked = self.norm(functional.gelu(self.transform(states[chosen])))
        return functional.linear(picked, self.encoder.embedding.char.weight, self.bias)


def corrupt(row: Sequence[int], vocabulary: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Masked 15 % (80/10/10) and 5 % of trigrams shuffled → (ids, positions to restore)."""
    ids = list(row)
    chosen: set[int] = set()
    inner = range(1, len(row) - 1)
    for at in inner:
        if rng.random() < 0.15:
            chosen.add(at)
            dice = rng.random()
            if dice < 0.8:
                ids[at] = MASK
            elif dice < 0.9:
                ids[at] = rng.randrange(len(SPECIAL), vocabulary)
    for at in range(1, len(row) - 3):
        span = (at, at + 1, at + 2)
        if rng.random() < 0.05 and chosen.isdisjoint(span):
            order = list(span)
            rng.shuffle(order)
            for to, source in zip(span, order, strict=True):
                ids[to] = row[source]
            chosen.update(span)
    if not chosen and len(row) > 2:
        at = rng.choice(inner)
        ids[at] = MASK
        chosen.add(at)
    return ids, sorted(chosen)


def pretrain(encoder: Encoder, rows: Sequence[Sequence[int]], epochs: int, seed: int) -> float:
    """Train in place; the mean loss of the last epoch."""
    if not epochs:
        return float("nan")
    rng = random.Random(seed)
    model = Restore(encoder).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=0.01)
    plan = [part for _ in range(epochs) for part in batches.bucketed([len(row) for row in rows], 4096, rng)]
    loss_sum, seen = 0.0, 0
    for step in batches.progress("pre-training", len(plan)):
        corrupted = [corrupt(rows[index], encoder.config.vocabulary, rng) for index in plan[step]]
        ids, mask = batches.pad([ids for ids, _ in corrupted])
        original, _ = batches.pad([rows[index] for index in plan[step]])
        chosen = torch.zeros_like(ids, dtype=torch.bool)
        for line, (_, positions) in enumerate(corrupted):
            chosen[line, positions] = True
        rate = 1e-3 * min(1.0, (step + 1) / 100, (len(plan) - step) / (0.6 * len(plan)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            scores = model(ids, mask, chosen)
        loss = functional.cross_entropy(scores.float(), original[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step >= len(plan) * (epochs - 1) // epochs:
            loss_sum, seen = loss_sum + loss.item(), seen + 1
    return loss_sum / max(seen, 1)
