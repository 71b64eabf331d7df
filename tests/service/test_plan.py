"""The batching decision, which is pure."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from sentiment_service.engine.plan import (
    BULK_SHARE,
    COARSE,
    GRAIN,
    LARGE,
    LEAST_OVERHEAD,
    MOST_OVERHEAD,
    MOST_ROWS,
    RESERVED_SECONDS,
    SMALL,
    Candidate,
    Pace,
    budget,
    bulk_streams,
    choose,
    leads_bulk,
    overhead,
    quickest,
    usual_widths,
    width,
)

OVERHEADS = st.integers(LEAST_OVERHEAD, MOST_OVERHEAD)
PACES = st.builds(Pace, st.integers(1, 4096), st.floats(1e-6, 1))
CANDIDATES = st.lists(st.builds(Candidate, st.integers(1, 512), st.integers(1, 64)), min_size=1, max_size=80)


@given(CANDIDATES, st.integers(1, 4096), OVERHEADS)
def test_a_batch_keeps_every_limit(waiting: list[Candidate], max_tokens: int, extra: int) -> None:
    picks = choose(waiting, max_tokens, extra)
    batch = [waiting[index] for index in picks]
    assert picks[0] == 0
    assert len(set(picks)) == len(picks)
    if len(batch) > 1:
        padded = width(max(one.tokens for one in batch), len(batch), extra) * len(batch)
        assert padded <= max_tokens
        alone = sum(extra + one.tokens for one in batch)
        assert extra + padded <= alone, "it costs no more than its texts one by one"
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


def test_a_text_of_another_length_joins_where_a_run_costs_more_than_its_padding() -> None:
    waiting = [Candidate(tokens, 32) for tokens in (20, 45)]
    assert choose(waiting, 256, LEAST_OVERHEAD) == [0]
    assert choose(waiting, 256, MOST_OVERHEAD) == [0, 1]


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
    cheap = budget(waiting, parallel, max_tokens, COARSE)
    assert tokens <= cheap <= 4 * max_tokens
    assert cheap == 4 * max_tokens or cheap * parallel >= waiting


def test_a_run_on_a_gpu_takes_all_that_waits_and_its_limit_follows_from_what_a_run_costs() -> None:
    # Measured on an H100: BERT-base takes as long for a text as for thousands of tokens.
    extra = 8192
    assert budget(1 << 20, 1, 256, extra) == 2 * extra
    waiting = [Candidate(tokens % 60 + 20, MOST_ROWS) for tokens in range(256)]
    batch = choose(waiting, budget(1 << 20, 1, 256, extra), extra)
    assert len(batch) >= 128
    assert budget(100, 1, 256, extra) == 100


@given(st.integers(1, 5000), st.integers(1, 32))
def test_runs_have_few_sizes_and_little_padding(tokens: int, rows: int) -> None:
    padded = width(tokens, rows)
    assert tokens <= padded < tokens + (8 if tokens <= 256 else 32)
    assert width(padded, rows) == padded
    assert padded * rows % GRAIN == 0


@given(st.integers(1, 5000), st.integers(1, 32), st.integers(COARSE, MOST_OVERHEAD))
def test_a_model_whose_runs_cost_many_tokens_gets_few_shapes(tokens: int, rows: int, extra: int) -> None:
    padded = width(tokens, rows, extra)
    assert tokens <= padded <= max(tokens + GRAIN - 1, tokens * 1.25)
    assert width(padded, rows, extra) == padded
    assert len({width(length, rows, extra) for length in range(1, 513)}) <= 22


def test_the_smaller_the_model_the_more_tokens_a_run_costs() -> None:
    # Seconds a token, as measured: BERT-base and the bundled model.
    assert overhead([Pace(40, 480e-6)]) == LEAST_OVERHEAD
    assert COARSE < overhead([Pace(40, 60e-6)]) < MOST_OVERHEAD
    assert overhead([Pace(40, 0)]) == MOST_OVERHEAD


def test_what_a_run_of_a_large_model_costs_is_told_by_two_sizes() -> None:
    # BERT-base int8 with AMX, which is quick at tokens and reads all weights each run; with VNNI alone.
    assert COARSE < overhead([Pace(40, 930e-6), Pace(256, 490e-6)]) < MOST_OVERHEAD
    assert overhead([Pace(40, 690e-6), Pace(256, 660e-6)]) == LEAST_OVERHEAD
    # Other work on the cores makes the large one slower, or the small one slower than it is.
    assert overhead([Pace(40, 600e-6), Pace(256, 660e-6)]) == LEAST_OVERHEAD
    assert overhead([Pace(8, 1.0), Pace(256, 0.01)]) == MOST_OVERHEAD


@given(st.integers(1, SMALL), st.integers(LARGE, 4096), st.floats(0.003, 1), st.floats(1e-5, 1e-2))
def test_what_a_run_costs_is_where_the_line_begins(few: int, many: int, run: float, token: float) -> None:
    paces = [Pace(tokens, run / tokens + token) for tokens in (few, many)]
    wanted = max(LEAST_OVERHEAD, min(MOST_OVERHEAD, run / token))
    assert abs(overhead(paces) - wanted) <= 1


@given(st.lists(PACES, min_size=1))
def test_of_each_size_the_quickest_run_counts(seen: list[Pace]) -> None:
    kept = quickest(seen)
    assert min(kept, key=lambda pace: pace.seconds).seconds == min(pace.seconds for pace in seen)
    assert len({(pace.tokens <= SMALL, pace.tokens >= LARGE) for pace in kept}) == len(kept)
    assert quickest(kept) == kept
    assert LEAST_OVERHEAD <= overhead(kept) <= MOST_OVERHEAD


@given(st.integers(3, 512))
def test_no_usual_shape_is_longer_than_the_model_takes(max_tokens: int) -> None:
    widths = usual_widths(max_tokens)
    assert widths == sorted(set(widths))
    assert widths[-1] <= max_tokens
