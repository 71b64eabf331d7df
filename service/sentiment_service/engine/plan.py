"""Which waiting sequences run together. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# While both kinds wait, one run in so many is for bulk: it is never starved, and never in the way.
BULK_SHARE = 4
# So long after an interactive text bulk leaves one stream free, so that the next one need not wait for a run.
RESERVED_SECONDS = 1.0

# An engine prepares kernels for every new number of tokens in a run, rows times width: that costs more time
# than a run, and stays in memory. So this number is a multiple of GRAIN, and there are few of them.
GRAIN = 8
# Longer rows run alone, and are rare.
_LONG, _LONG_GRAIN = 256, 32
# Every run costs this much beside its tokens, and one of a new shape twice as much and more. For a small
# model that is as much as many tokens: from COARSE on few shapes gain more than their padding loses.
_RUN_SECONDS = 0.003
LEAST_OVERHEAD, MOST_OVERHEAD, COARSE = 8, 64, 16
# Of a large model it is much where tokens are quick but all weights are read for each run, as with AMX. Two
# runs of so many tokens tell.
SMALL, LARGE = 64, 192
# So many times the tokens of a run are its limit then: a small model's still take less time than others';
# a large one's runs of fewer tokens would spend their time on what they cost beside them.
_CHEAP = 4
# A run on a GPU costs as much as thousands of tokens; one with twice as many spends two thirds of its time on
# them.
_WORTHWHILE = 2
_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
MOST_ROWS = _ROWS[-1]


class Candidate(NamedTuple):
    tokens: int
    max_batch: int


class Pace(NamedTuple):
    """Padded tokens of a run, and the seconds that each took."""

    tokens: int
    seconds: float


def quickest(paces: Iterable[Pace]) -> list[Pace]:
    """Of up to SMALL tokens, of LARGE and more, and between; as far as there are any."""
    found: dict[tuple[bool, bool], Pace] = {}
    for pace in paces:
        size = (pace.tokens <= SMALL, pace.tokens >= LARGE)
        found[size] = min(found.get(size, pace), pace, key=lambda one: one.seconds)
    return list(found.values())


def overhead(paces: Sequence[Pace]) -> int:
    """What a run costs beside its tokens, in tokens, for an engine whose quickest runs were these.

    A small and a large one lie on a line: where it begins is what a run without tokens would take.
    """
    run, token = _RUN_SECONDS, min(pace.seconds for pace in paces)
    small = [pace for pace in paces if pace.tokens <= SMALL]
    large = [pace for pace in paces if pace.tokens >= LARGE]
    if small and large:
        [(few, slow)], [(many, quick)] = small, large
        token = (many * quick - few * slow) / (many - few)
        run = max(run, few * (slow - token))
    return max(LEAST_OVERHEAD, min(MOST_OVERHEAD, round(run / max(token, 1e-6))))


def width(tokens: int, rows: int = 1, overhead: int = LEAST_OVERHEAD) -> int:
    """What `rows` rows are padded to, the longest of which has so many tokens."""
    if overhead >= COARSE:
        step = 1 << max(3, (tokens // 4).bit_length() - 1)
    elif tokens > _LONG:
        step = _LONG_GRAIN
    else:
        step = GRAIN // math.gcd(GRAIN, rows)
    return -(-tokens // step) * step


def usual_widths(max_tokens: int) -> list[int]:
    """The widths of the grid for most texts, shortest first."""
    return sorted({min(width(tokens), max_tokens) for tokens in range(3, 129)})


def leads_bulk(interactive: bool, bulk: bool, runs: int) -> bool:
    """Whether the next run is for bulk, given what waits and how many runs went before."""
    return bulk and (not interactive or runs % BULK_SHARE == BULK_SHARE - 1)


def bulk_streams(parallel: int, since_interactive: float) -> int:
    """Streams that bulk may take, so many seconds after the last interactive text came."""
    return parallel - 1 if parallel > 1 and since_interactive < RESERVED_SECONDS else parallel


def budget(waiting_tokens: int, parallel: int, max_tokens: int, overhead: int = LEAST_OVERHEAD) -> int:
    """Padded tokens of the next run: what waits is shared by all streams, up to the limit."""
    limit = max_tokens * _CHEAP if overhead >= COARSE else max_tokens
    if overhead > MOST_OVERHEAD:
        limit = max(limit, overhead * _WORTHWHILE)
    return max(1, min(limit, -(-waiting_tokens // parallel)))


def choose(waiting: Sequence[Candidate], max_tokens: int, overhead: int = LEAST_OVERHEAD) -> list[int]:
    """Indexes of the next batch; the first of `waiting` is always in it.

    On a CPU padding loses what batching gains, so the first is joined by those nearest to it in length: by as
    many, out of a few sizes, as gain the most over running each alone, stay within `max_tokens`, and are no
    more than any member's own `max_batch`. A run costs its padded tokens and `overhead`.
    """
    first = waiting[0]
    chosen, best, gain = [0], 1, 1.0
    widest, alone, limit = first.tokens, first.tokens, first.max_batch
    for index in sorted(range(1, len(waiting)), key=lambda i: abs(waiting[i].tokens - first.tokens)):
        tokens, max_batch = waiting[index]
        size = len(chosen) + 1
        if max(widest, tokens) * size > max_tokens or size > limit:
            break
        if size > max_batch:
            continue
        chosen.append(index)
        widest, alone, limit = max(widest, tokens), alone + tokens, min(limit, max_batch)
        padded = width(widest, size, overhead) * size
        gained = (overhead * size + alone) / (overhead + padded)
        if size in _ROWS and padded <= max_tokens and gained >= gain:
            best, gain = size, gained
    return chosen[:best]
