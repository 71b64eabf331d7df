"""An autoscaler over a load: what it costs, and what callers feel. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from bench.scaling.hpa import Autoscaler, Reading
from bench.scaling.traces import smooth

SYNC = 15
"""Seconds between two looks of the controller."""
START = 8
"""Seconds from a pod's creation to its readiness, as docs/reliability.md measures it."""
SCRAPE = 15
"""Active requests are as old as the last scrape and the adapter's last look."""
CPU_WINDOW = 30
"""metrics-server tells the mean of so many seconds."""
CPU_TARGET, CPU_MOST = 700, 1000
"""Thousandths of the request; a pod that has more to do than its CPU allows uses all of it."""
ACTIVE_TARGET = 50_000
_FLAP = 600


class Result(NamedTuple):
    """Of one run."""

    over_target: float
    """Share of the time in which the ready pods had more than 110 % of the target to do."""
    pod_minutes: float
    flaps: int
    """How often pods were removed and added again within ten minutes."""
    pods: list[int]
    """Ready ones, second by second."""


def simulate(load: Sequence[float], scaler: Autoscaler, by_requests: bool = True) -> Result:
    """One pod has a load of 1 at the target, of CPU and of active requests alike."""
    wanted, starting, pods = scaler.least, list[float](), list[int]()
    changes: list[tuple[int, int]] = []
    mean = smooth(load, CPU_WINDOW)
    for second in range(len(load)):
        starting = [at for at in starting if at > second]
        ready = max(1, wanted - len(starting))
        pods.append(ready)
        if second % SYNC:
            continue
        cpu = min(CPU_MOST, int(CPU_TARGET * mean[second] / ready))
        readings = [Reading([cpu] * ready, CPU_TARGET, wanted - ready)]
        if by_requests:
            seen = load[max(0, second - SCRAPE)]
            readings.append(
                Reading([int(ACTIVE_TARGET * seen / ready)] * ready, ACTIVE_TARGET, wanted - ready)
            )
        before, wanted = wanted, scaler.decide(second, wanted, readings)
        if wanted > before:
            starting += [second + START] * (wanted - before)
        elif wanted < before:
            # Those that are not ready yet go first.
            starting = starting[: max(0, len(starting) - (before - wanted))]
        if wanted != before:
            changes.append((second, wanted - before))
    over = sum(value / ready > 1.1 for value, ready in zip(load, pods, strict=True))
    return Result(over / len(load), sum(pods) / 60, flaps(changes), pods)


def flaps(changes: Sequence[tuple[int, int]]) -> int:
    """Removals that were taken back within ten minutes; changes as (second, pods)."""
    return sum(one < 0 < other and later - at <= _FLAP for (at, one), (later, other) in pairwise(changes))
