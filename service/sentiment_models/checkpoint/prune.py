"""Structured pruning of the feed-forward parts, and distillation from the whole model. Imports torch.

A neuron counts by how much it varies: what it says on average goes into the next layer's bias instead (An et
al., "Fluctuation-based adaptive structured pruning", 2024). Then the smaller model learns the logits of the
whole one (Ba and Caruana, "Do deep nets really need to be deep?", 2014); no labels are asked.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import Tensor, nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from sentiment_models import batches, isolated
from sentiment_models.checkpoint import convert
from sentiment_models.checkpoint.convert import Converted
from sentiment_models.checkpoint.layout import Checkpoint
from sentiment_models.faults import CheckpointUnsupported

# Into the neurons and out of them, as the families name the two layers.
_NAMES = (("intermediate.dense", "output.dense"), ("ffn.lin1", "ffn.lin2"), ("ffn", "ffn_output"))
# The neurons that stay are a multiple of this share of the hidden width, for the sake of the kernels
# (see quantise.group_activations).
_STEP = 4
_RATE, _BATCH_TOKENS, _MOST_TOKENS = 5e-5, 2048, 128
# The whole model's answers take about so much of the time.
_TEACHING = 0.25

Part = tuple[nn.Linear, nn.Linear]


def prune(
    checkpoint: Checkpoint,
    ir: Path,
    percent: int,
    rows: Sequence[Sequence[int]],
    unlabelled: Sequence[Sequence[int]],
    probe: Sequence[Sequence[int]],
) -> Converted:
    """Write `ir` in fp32 with about `percent` fewer neurons; the logits of `probe` as torch has them.

    rows: token ids that the neurons are weighed on; unlabelled: those to distil on, if any.
    CheckpointUnsupported where the family's neurons are not known.
    """
    torch.manual_seed(0)
    model, ignored = convert.load(checkpoint)
    rows, unlabelled = ([list(row[:_MOST_TOKENS]) for row in texts] for texts in (rows, unlabelled))
    goals = logits(model, unlabelled)
    shrink(model, rows, percent)
    if unlabelled:
        distil(model, unlabelled, goals)
    return replace(convert.save(model, ir, probe), ignored=tuple(ignored))


def shrink(model: Any, rows: Sequence[Sequence[int]], percent: int) -> tuple[int, int]:
    """Remove neurons of every layer in place: (neurons of a layer before, after)."""
    parts = _parts(model)
    if not parts:
        raise CheckpointUnsupported(
            f"the neurons of a {type(model).__name__} are not known here", "Ask for no pruning."
        )
    before, after = parts[0][0].out_features, 0
    with torch.no_grad():
        for (into, out), (mean, spread) in zip(parts, _activations(model, parts, rows), strict=True):
            after = kept_neurons(into.out_features, into.in_features, percent)
            strength = spread * out.weight.norm(dim=0)
            order = strength.argsort(descending=True, stable=True)
            kept, gone = order[:after].sort().values, order[after:]
            out.bias += out.weight[:, gone] @ mean[gone]
            into.weight, into.bias = nn.Parameter(into.weight[kept]), nn.Parameter(into.bias[kept])
            out.weight = nn.Parameter(out.weight[:, kept].contiguous())
            into.out_features = out.in_features = after
    return before, after


def kept_neurons(neurons: int, hidden: int, percent: int) -> int:
    """What stays of `neurons`: near to the asked share, and one step at least."""
    step = max(1, math.gcd(neurons, hidden) // _STEP)
    return max(step, round(neurons * (1 - percent / 100) / step) * step)


def _parts(model: Any) -> list[Part]:
    """The pair of linear layers of every feed-forward part; layers that share weights (ALBERT) once."""
    modules = dict(model.named_modules())
    found = []
    for name, module in modules.items():
        for into, out in _NAMES:
            if name.endswith(f".{into}") and isinstance(module, nn.Linear):
                other = modules.get(name.removesuffix(into) + out)
                if isinstance(other, nn.Linear) and other.in_features == module.out_features:
                    found.append((module, other))
    return found


def _activations(
    model: Any, parts: Sequence[Part], rows: Sequence[Sequence[int]]
) -> list[tuple[Tensor, Tensor]]:
    """(mean, standard deviation) of each part's neurons over all tokens of the rows."""
    sums = [torch.zeros(2, out.in_features, dtype=torch.float64) for _, out in parts]
    counts = [0] * len(parts)

    def watch(index: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen = inputs[0].reshape(-1, inputs[0].shape[-1]).double()
            sums[index] += torch.stack((seen.sum(dim=0), seen.square().sum(dim=0)))
            counts[index] += len(seen)

        return see

    watched = [out.register_forward_pre_hook(watch(index)) for index, (_, out) in enumerate(parts)]
    for row in rows:
        model(input_ids=torch.tensor([row]))
    for one in watched:
        one.remove()
    found = []
    for (total, squares), count in zip(sums, counts, strict=True):
        mean = total / count
        found.append((mean.float(), (squares / count - mean.square()).clamp(min=0).sqrt().float()))
    return found


def logits(model: Any, rows: Sequence[Sequence[int]]) -> Tensor:
    """[texts, 2], in the order of the rows."""
    found = torch.zeros(len(rows), 2)
    plan = batches.bucketed([len(row) for row in rows], _BATCH_TOKENS, random.Random(0)) if rows else []
    with torch.no_grad():
        for done, part in enumerate(plan):
            ids, mask = batches.pad([rows[index] for index in part])
            found[part] = model(input_ids=ids, attention_mask=mask).logits.float()
            isolated.tell(_TEACHING * (done + 1) / len(plan))
    return found


def distil(model: Any, rows: Sequence[Sequence[int]], goals: Tensor) -> None:
    """Fit the logits [texts, 2] of the whole model, in place, in one pass. The embedding stays as it is."""
    model.get_input_embeddings().requires_grad_(False)
    learning = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=_RATE, weight_decay=0.01)
    plan = batches.bucketed([len(row) for row in rows], _BATCH_TOKENS, random.Random(1))
    for step, part in enumerate(plan):
        share = step / len(plan)
        optimiser.param_groups[0]["lr"] = _RATE * min(1.0, share / 0.06 + 1 / len(plan), (1 - share) / 0.94)
        ids, mask = batches.pad([rows[index] for index in part])
        loss = functional.mse_loss(model(input_ids=ids, attention_mask=mask).logits, goals[part])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        isolated.tell(_TEACHING + (1 - _TEACHING) * (step + 1) / len(plan))
    model.requires_grad_(False)
