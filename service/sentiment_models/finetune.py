"""Fine-tuning: labels smoothed with an out-of-fold teacher, token dropout, averaged weights."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from numpy.typing import NDArray
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from sentiment_models import batches
from sentiment_models.encoder import Encoder
from sentiment_models.tokenizer import UNK


@dataclass(frozen=True)
class Recipe:
    """What fine-tuning does; every figure was chosen on the calibration part."""

    epochs: int = 8
    rate: float = 8e-4
    average: float = 0.996
    token_drop: float = 0.06
    r_drop: float = 0.0
    seed: int = 17


def _perturb(row: Sequence[int], drop: float, rng: random.Random) -> list[int]:
    """Some tokens unknown; of a long text sometimes one end cut off."""
    ids = [UNK if rng.random() < drop else token for token in row[1:-1]]
    if len(ids) > 40 and rng.random() < 0.3:
        keep = int(len(ids) * rng.uniform(0.7, 1.0))
        start = rng.randrange(len(ids) - keep + 1)
        ids = ids[start : start + keep]
    return [row[0], *ids, row[-1]]


def finetune(
    encoder: Encoder,
    rows: Sequence[Sequence[int]],
    targets: NDArray[np.float64],
    recipe: Recipe,
    judge: Callable[[Encoder], str],
) -> Encoder:
    """The averaged encoder. targets [texts]: probability of 正面; `judge` may see calibration texts only."""
    rng = random.Random(recipe.seed)
    average = copy.deepcopy(encoder).eval()
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for n, p in encoder.named_parameters() if "gram" in n], "scale": 2.0},
            {"params": [p for n, p in encoder.named_parameters() if "gram" not in n], "scale": 1.0},
        ],
        lr=1.0, weight_decay=0.02, betas=(0.9, 0.98),
    )  # fmt: skip
    epochs = [batches.bucketed([len(row) for row in rows], 4096, rng) for _ in range(recipe.epochs)]
    plan = [part for epoch in epochs for part in epoch]
    ends = set(np.cumsum([len(epoch) for epoch in epochs]).tolist())
    encoder.train()
    for step in batches.progress("fine-tuning", len(plan)):
        part = plan[step]
        ids, mask = batches.pad([_perturb(rows[index], recipe.token_drop, rng) for index in part])
        goal = torch.tensor(targets[part], dtype=torch.float32)
        if recipe.r_drop:
            ids, mask, goal = ids.repeat(2, 1), mask.repeat(2, 1), goal.repeat(2)
        warm = min(1.0, (step + 1) / (0.06 * len(plan)), (len(plan) - step) / (0.9 * len(plan)))
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * warm * group["scale"]
        with torch.autocast("cpu", torch.bfloat16):
            logits = encoder(ids, mask).float()
        loss = functional.cross_entropy(logits, torch.stack((1 - goal, goal), dim=1))
        if recipe.r_drop:
            one, two = functional.log_softmax(logits, dim=1).chunk(2)
            both = functional.kl_div(one, two, reduction="batchmean", log_target=True)
            both = both + functional.kl_div(two, one, reduction="batchmean", log_target=True)
            loss = loss + recipe.r_drop * both / 2
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


def logits(encoder: Encoder, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Logits [texts, 2] in fp32, in the order of rows."""
    encoder.eval()
    result = np.zeros((len(rows), 2))
    with torch.no_grad():
        for part in batches.bucketed([len(row) for row in rows], 8192, random.Random(0)):
            ids, mask = batches.pad([rows[index] for index in part])
            result[part] = encoder(ids, mask).double().numpy()
    return result
