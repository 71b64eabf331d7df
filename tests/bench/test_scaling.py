"""Loads, and what the simulation says of an autoscaler over them."""

import pytest

from bench.scaling import traces
from bench.scaling.__main__ import down
from bench.scaling.hpa import DOWN, UP, Autoscaler
from bench.scaling.simulate import START, SYNC, flaps, simulate


def test_pods_come_within_a_look_and_a_start_and_go_at_their_pace() -> None:
    result = simulate([1.0] * 300 + [6.0] * 600 + [1.0] * 900, Autoscaler(1, 10, UP, down(43, 0, 1)))
    assert result.pods[299] == 1
    assert 6 in result.pods[300 : 300 + 4 * (SYNC + START)]
    falling = result.pods[900:]
    assert [falling.index(number) // 60 for number in range(5, 2, -1)] == pytest.approx([0, 1, 2], abs=1)
    assert result.flaps == 0


def test_the_old_rule_keeps_what_one_less_would_have_to_carry() -> None:
    """At 43 % of the target and more nobody goes, whatever fewer pods could do."""
    load = [4.0] * 300 + [2.0] * 3000
    assert simulate(load, Autoscaler(1, 10, UP, down(43, 60, 1))).pods[-1] == 4
    assert simulate(load, Autoscaler(1, 10, UP, DOWN)).pods[-1] == 2


def test_a_flap_is_what_is_taken_back_soon() -> None:
    assert flaps([(0, 2), (100, -1), (500, 1)]) == 1
    assert flaps([(0, 2), (100, -1), (701, 1)]) == 0
    assert flaps([(0, -1), (60, -1)]) == 0


def test_loads_are_the_same_each_time_and_keep_their_mean() -> None:
    assert traces.noisy() == traces.noisy()
    assert sum(traces.noisy()) / len(traces.noisy()) == pytest.approx(3, rel=0.1)
    assert traces.smooth([0, 2, 4, 4], 2) == [0, 1, 3, 4]
