"""The batching decision, which is pure."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from sentiment_service.engine.plan import (
    BULK_SHARE,
    GRAIN,
    MAX_WASTE,
    RESERVED_SECONDS,
    Candidate,
    budget,
    bulk_streams,
    choose,
    leads_bulk,
    usual_widths,
    width,
)

CANDIDATES = st.lists(st.builds(Candidate, st.integers(1, 512), st.integers(1, 64)), min_size=1, max_size=80)


@given(CANDIDATES, st.integers(1, 4096))
def test_a_batch_keeps_every_limit(waiting: list[Candidate], max_tokens: int) -> None:
    picks = choose(waiting, max_tokens)
    batch = [waiting[index] for index in picks]
    assert picks[0] == 0
    assert len(set(picks)) == len(picks)
    if len(batch) > 1:
        padded = width(max(one.tokens for one in batch), len(batch)) * len(batch)
        assert padded <= max_tokens
        assert padded <= MAX_WASTE * sum(one.tokens for one in batch) + GRAIN
        assert len(batch) <= min(one.max_batch for one in batch)


@given(CANDIDATES, st.integers(1, 4096))
def test_all_that_waits_is_answered(waiting: list[Candidate], max_tokens: int) -> None:
    runs = 0
    while waiting:
        picks = set(choose(waiting, max_tokens))
        waiting = [one for index, one in enumerate(waiting) if index not in picks]
        runs += 1
    assert runs > 0


@given(st.integers(1, 64), st.integers(8, 64), st.integers(1, 512))
def test_equal_lengths_fill_the_budget(count: int, tokens: int, max_tokens: int) -> None:
    batch = choose([Candidate(tokens, 64)] * count, max_tokens)
    fits = min(count, max_tokens // width(tokens))
    assert len(batch) > fits / 2


def test_the_nearest_in_length_join_first() -> None:
    waiting = [Candidate(tokens, 32) for tokens in (20, 200, 22, 5, 23)]
    assert sorted(choose(waiting, 72)) == [0, 2, 4]


@given(st.integers(0, 1000))
def test_interactive_goes_first_and_bulk_is_never_starved(start: int) -> None:
    turns = [leads_bulk(True, True, start + run) for run in range(BULK_SHARE)]
    assert turns.count(True) == 1


@given(st.integers(0, 1000))
def test_whoever_waits_alone_goes_at_once(runs: int) -> None:
    assert leads_bulk(False, True, runs)
    assert not leads_bulk(True, False, runs)


@given(st.integers(1, 64), st.floats(0, 10))
def test_a_stream_is_kept_free_while_somebody_types(parallel: int, seconds: float) -> None:
    streams = bulk_streams(parallel, seconds)
    assert streams >= 1
    assert streams == (parallel - 1 if parallel > 1 and seconds < RESERVED_SECONDS else parallel)
    assert bulk_streams(parallel, math.inf) == parallel


@given(st.integers(1, 1 << 20), st.integers(1, 64), st.integers(1, 4096))
def test_what_waits_is_shared_by_all_streams(waiting: int, parallel: int, max_tokens: int) -> None:
    tokens = budget(waiting, parallel, max_tokens)
    assert 1 <= tokens <= max_tokens
    assert tokens == max_tokens or tokens * parallel >= waiting


@given(st.integers(1, 5000), st.integers(1, 32))
def test_runs_have_few_sizes_and_little_padding(tokens: int, rows: int) -> None:
    padded = width(tokens, rows)
    assert tokens <= padded < tokens + (8 if tokens <= 256 else 32)
    assert width(padded, rows) == padded
    assert padded * rows % GRAIN == 0


@given(st.integers(3, 512))
def test_no_usual_shape_is_longer_than_the_model_takes(max_tokens: int) -> None:
    widths = usual_widths(max_tokens)
    assert widths == sorted(set(widths))
    assert widths[-1] <= max_tokens
