"""The simulated autoscaler decides as the real one does, and keeps its promises."""

import json
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scaling.hpa import Autoscaler, Policy, Reading, Rules, proposal
from bench.scaling.recorded import RECORDED

SCENARIOS = json.loads(RECORDED.read_text())


def rules(told: dict) -> Rules:  # type: ignore[type-arg]
    policies = tuple(Policy(one["Value"], one["Period"], one["Percent"]) for one in told["Policies"])
    # As Kubernetes makes a float of a quantity: 57 * 0.01 is a bit more than 0.57.
    digits, exponent = Decimal(told["Tolerance"]).as_tuple()[1:]
    tolerance = int("".join(map(str, digits))) * 10.0 ** int(exponent)
    return Rules(policies, told["Window"], tolerance)


def test_it_decides_as_kubernetes_own_code_did() -> None:
    for number, told in enumerate(SCENARIOS):
        scaler = Autoscaler(told["Least"], told["Most"], rules(told["Up"]), rules(told["Down"]))
        now, current, decided = 0.0, told["Start"], []
        for step in told["Steps"]:
            now += step["Seconds"]
            unready = min(step["Unready"], current - 1)
            missing = min(step["Missing"], current - 1 - unready)
            ready = current - unready - missing
            readings = [
                Reading([] if load is None else [load // ready] * ready, told["Target"], unready, missing)
                for load in step["Loads"]
            ]
            current = scaler.decide(now, current, readings)
            decided.append(current)
        assert decided == told["Decided"], f"scenario {number}"


def test_the_recorded_scenarios_are_of_all_kinds() -> None:
    pairs = [
        (before, after) for told in SCENARIOS for before, after in pairwise([told["Start"], *told["Decided"]])
    ]
    assert sum(after > before for before, after in pairs) > 100
    assert sum(after < before for before, after in pairs) > 100
    loads = [load for told in SCENARIOS for step in told["Steps"] for load in step["Loads"]]
    assert None in loads


READINGS = st.lists(
    st.builds(
        Reading,
        st.lists(st.integers(0, 5000), max_size=8),
        st.integers(1, 2000),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=3,
)
SCALERS = st.builds(
    lambda least, more, window, tolerance, pace: Autoscaler(
        least, least + more, down=Rules((Policy(pace, 60),), window, tolerance)
    ),
    st.integers(1, 3),
    st.integers(0, 10),
    st.sampled_from((0, 60, 300)),
    st.sampled_from((0.1, 0.57)),
    st.integers(1, 3),
)


@given(SCALERS, st.lists(READINGS, max_size=30), st.integers(1, 14))
def test_it_keeps_within_its_limits_and_its_pace(
    scaler: Autoscaler, steps: list[list[Reading]], current: int
) -> None:
    numbers = [min(max(current, scaler.least), scaler.most)]
    for number, readings in enumerate(steps):
        numbers.append(scaler.decide(15.0 * number, numbers[-1], readings))
    assert all(scaler.least <= number <= scaler.most for number in numbers)
    [pace] = [policy.value for policy in scaler.down.policies]
    changes = [after - before for before, after in pairwise(numbers)]
    for at in range(len(changes)):
        # what was added in the minute before may go as well: the rule counts from the minute's first number
        minute = changes[max(at - 3, 0) : at + 1]
        assert sum(minute) >= -pace or changes[at] >= 0


@given(READINGS, st.integers(2, 10))
def test_a_metric_that_says_nothing_lets_no_pod_go(readings: list[Reading], current: int) -> None:
    scaler = Autoscaler(1, 20, down=Rules((Policy(10, 15),), window=0))
    silent = Reading([], 100)
    assert scaler.decide(0, current, [*readings, silent]) >= current


@given(st.integers(0, 3000), st.integers(1, 8), st.integers(1, 8))
def test_a_pod_without_a_value_never_makes_others_go(value: int, ready: int, missing: int) -> None:
    current = ready + missing
    with_all = proposal(Reading([value] * current, 1000), current)
    with_some = proposal(Reading([value] * ready, 1000, missing=missing), current)
    assert with_all is not None
    assert with_some is not None
    assert (with_some - current) * (with_all - current) >= 0
    assert abs(with_some - current) <= abs(with_all - current)


@pytest.mark.parametrize(("value", "wanted"), [(431, 10), (429, 5), (1000, 10), (1099, 10), (1101, 12)])
def test_within_the_tolerance_nothing_changes(value: int, wanted: int) -> None:
    assert proposal(Reading([value] * 10, 1000), 10, down=0.57) == wanted
