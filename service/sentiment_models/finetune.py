"""Fine-tuning: labels smoothed with an out-of-fold teacher, token dropout, averaged weights."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from torch import nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from sentiment_models import batches
from sentiment_models.encoder import Encoder
from sentiment_models.tokenizer import UNK

# The new parts learn this many times faster than those that come pre-trained.
HEAD_RATE = 5.0


@dataclass(frozen=True)
class Recipe:
    """What fine-tuning does; every figure was chosen on the calibration part."""

    epochs: int = 4
    rate: float = 1.5e-4
    average: float = 0.99
    token_drop: float = 0.05
    batch_tokens: int = 2048
    seed: int = 1


def _perturb(row: Sequence[int], drop: float, rng: random.Random) -> list[int]:
    """Some tokens unknown."""
    return [row[0], *(UNK if rng.random() < drop else token for token in row[1:-1]), row[-1]]


def finetune(
    encoder: Encoder,
    rows: Sequence[Sequence[int]],
    targets: NDArray[np.float64],
    recipe: Recipe,
    judge: Callable[[Encoder], str],
) -> Encoder:
    """The averaged encoder. targets [texts]: probability of 正面; `judge` may see calibration texts only."""
    rng = random.Random(recipe.seed)
    # The embedding knows words from far more text than this; frozen, it costs no gradient.
    for module in (encoder.word, encoder.position, encoder.norm):
        module.requires_grad_(False)
    average = copy.deepcopy(encoder).eval()
    heads = ("pool.", "classify.")
    learning = [(n, p) for n, p in encoder.named_parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for n, p in learning if not n.startswith(heads)], "scale": 1.0},
            {"params": [p for n, p in learning if n.startswith(heads)], "scale": HEAD_RATE},
        ],
        lr=1.0, weight_decay=0.01,
    )  # fmt: skip
    lengths = [len(row) for row in rows]
    epochs = [batches.bucketed(lengths, recipe.batch_tokens, rng) for _ in range(recipe.epochs)]
    plan = [part for epoch in epochs for part in epoch]
    ends = set(np.cumsum([len(epoch) for epoch in epochs]).tolist())
    for step in batches.progress("fine-tuning", len(plan)):
        part = plan[step]
        ids, mask = batches.pad([_perturb(rows[index], recipe.token_drop, rng) for index in part])
        goal = torch.tensor(targets[part], dtype=torch.float32)
        rate = recipe.rate * min(1.0, (step + 1) / (0.06 * len(plan)), (len(plan) - step) / (0.9 * len(plan)))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        encoder.train()
        with torch.autocast("cpu", torch.bfloat16):
            scores = encoder(ids, mask).float()
        loss = functional.cross_entropy(scores, torch.stack((1 - goal, goal), dim=1))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
        decay = min(recipe.average, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(encoder.parameters()), 1 - decay)
        if step + 1 in ends:
            print(f"  epoch done: {judge(average)}", flush=True)
    return average  # type: ignore[no-any-return, unused-ignore]


def logits(encoder: nn.Module, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Logits [texts, 2] in fp32, in the order of rows."""
    encoder.eval()
    result = np.zeros((len(rows), 2))
    with torch.no_grad():
        for part in batches.bucketed([len(row) for row in rows], 8192, random.Random(0)):
            ids, mask = batches.pad([rows[index] for index in part])
            result[part] = encoder(ids, mask).double().numpy()
    return result
