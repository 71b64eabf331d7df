"""Token ids in batches of like length, and a line of progress. Imports torch."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import Tensor  # type: ignore[import-not-found, unused-ignore]


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask, both int64 [batch, longest]."""
    longest = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    mask = torch.zeros(len(rows), longest, dtype=torch.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
    return ids, mask


def bucketed(lengths: Sequence[int], tokens: int, rng: random.Random) -> list[list[int]]:
    """Indices in batches of at most `tokens` padded tokens and 64 texts, in random order."""
    order = sorted(range(len(lengths)), key=lambda index: lengths[index] + rng.random() * 8)
    batches: list[list[int]] = [[]]
    for index in order:
        if batches[-1] and (lengths[index] * (len(batches[-1]) + 1) > tokens or len(batches[-1]) >= 64):
            batches.append([])
        batches[-1].append(index)
    rng.shuffle(batches)
    return batches


def progress(name: str, steps: int) -> Iterator[int]:
    """Count `steps`, with the share done and the time left on standard error."""
    begun = last = time.monotonic()
    for step in range(steps):
        yield step
        now = time.monotonic()
        if now - last > (0.5 if sys.stderr.isatty() else 15) or step + 1 == steps:
            last = now
            left = (now - begun) / (step + 1) * (steps - step - 1)
            end = "\r" if sys.stderr.isatty() and step + 1 < steps else "\n"
            done = f"{name}: {(step + 1) / steps:4.0%}, {now - begun:.0f} s, {left:.0f} s left"
            print(done, end=end, file=sys.stderr, flush=True)
