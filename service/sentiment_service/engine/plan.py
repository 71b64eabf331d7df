"""Which waiting sequences run together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MAX_WASTE = 1.5
# While both kinds wait, one run in so many is for bulk: it is never starved, and never in the way.
BULK_SHARE = 4
# So long after an interactive text bulk leaves one stream free, so that the next one need not wait for a run.
RESERVED_SECONDS = 1.0


# An engine prepares kernels for every new shape, which costs more time than a run and stays in memory. So
# shapes come from a grid that is fine enough to waste little and coarse enough to be met again.
_STEPS = ((32, 4), (96, 8), (256, 16))
_LAST_STEP = 32
_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


class Candidate(NamedTuple):
    tokens: int
    max_batch: int


def width(tokens: int) -> int:
    """Tokens that a row of so many is padded to."""
    step = next((step for limit, step in _STEPS if tokens <= limit), _LAST_STEP)
    return -(-tokens // step) * step


def rows(count: int) -> int:
    """How many of `count` rows run together: the most that the grid has."""
    return next(size for size in reversed(_ROWS) if size <= count)


def usual_widths(max_tokens: int) -> list[int]:
    """The widths of the grid for most texts, shortest first."""
    return sorted({min(width(tokens), max_tokens) for tokens in range(3, 129)})


def leads_bulk(interactive: bool, bulk: bool, runs: int) -> bool:
    """Whether the next run is for bulk, given what waits and how many runs went before."""
    return bulk and (not interactive or runs % BULK_SHARE == BULK_SHARE - 1)


def bulk_streams(parallel: int, since_interactive: float) -> int:
    """Streams that bulk may take, so many seconds after the last interactive text came."""
    return parallel - 1 if parallel > 1 and since_interactive < RESERVED_SECONDS else parallel


def budget(waiting_tokens: int, parallel: int, max_tokens: int) -> int:
    """Padded tokens of the next run: what waits is shared by all streams, up to the limit."""
    return max(1, min(max_tokens, -(-waiting_tokens // parallel)))


def choose(waiting: Sequence[Candidate], max_tokens: int) -> list[int]:
    """Indexes of the next batch; the first of `waiting` is always in it.

    On a CPU padding loses what batching gains, so the first is joined by those nearest to it in length,
    while the padded batch stays within `max_tokens` and within MAX_WASTE times what its rows need one by
    one, and no larger than any member's own `max_batch`.
    """
    first = waiting[0]
    order = sorted(range(1, len(waiting)), key=lambda i: abs(waiting[i].tokens - first.tokens))
    chosen = [0]
    widest = alone = width(first.tokens)
    limit = first.max_batch
    for index in order:
        needs, max_batch = width(waiting[index].tokens), waiting[index].max_batch
        size = len(chosen) + 1
        padded = max(widest, needs) * size
        if padded > max_tokens or size > limit:
            break
        if padded > MAX_WASTE * (alone + needs) or size > max_batch:
            continue
        chosen.append(index)
        widest, alone, limit = max(widest, needs), alone + needs, min(limit, max_batch)
    return chosen[: rows(len(chosen))]
