"""Which waiting sequences run together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MAX_WASTE = 1.5
# While both kinds wait, one run in so many is for bulk: it is never starved, and never in the way.
BULK_SHARE = 4


class Candidate(NamedTuple):
    tokens: int
    max_batch: int


def leads_bulk(interactive: bool, bulk: bool, runs: int) -> bool:
    """Whether the next run is for bulk, given what waits and how many runs went before."""
    return bulk and (not interactive or runs % BULK_SHARE == BULK_SHARE - 1)


def budget(waiting_tokens: int, parallel: int, max_tokens: int) -> int:
    """Padded tokens of the next run: what waits is shared by all streams, up to the limit."""
    return max(1, min(max_tokens, -(-waiting_tokens // parallel)))


def choose(waiting: Sequence[Candidate], max_tokens: int) -> list[int]:
    """Indexes of the next batch; the first of `waiting` is always in it.

    On a CPU padding loses what batching gains, so the first is joined by those nearest to it in length,
    while the padded batch stays within `max_tokens` and within MAX_WASTE times its real tokens, and no
    larger than any member's own `max_batch`.
    """
    first = waiting[0]
    order = sorted(range(1, len(waiting)), key=lambda i: abs(waiting[i].tokens - first.tokens))
    chosen = [0]
    width = real = first.tokens
    limit = first.max_batch
    for index in order:
        tokens, max_batch = waiting[index]
        size = len(chosen) + 1
        padded = max(width, tokens) * size
        if padded > max_tokens or size > limit:
            break
        if padded > MAX_WASTE * (real + tokens) or size > max_batch:
            continue
        chosen.append(index)
        width, real, limit = max(width, tokens), real + tokens, min(limit, max_batch)
    return chosen
