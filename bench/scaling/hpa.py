"""The algorithm of Kubernetes' HorizontalPodAutoscaler (1.37), as pure code over a clock that is given.

Its decisions are compared with those of the real code in tests/bench/test_hpa.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Policy:
    """So many pods, or percent of them, may be added or removed within a period."""

    value: int
    period: float
    percent: bool = False


@dataclass(frozen=True)
class Rules:
    """One direction of `spec.behavior`; of what its policies allow the most counts (`selectPolicy: Max`)."""

    policies: tuple[Policy, ...]
    window: float
    tolerance: float = 0.1


# Kubernetes' defaults.
UP = Rules((Policy(4, 15), Policy(100, 15, percent=True)), window=0)
DOWN = Rules((Policy(100, 15, percent=True),), window=300)


@dataclass(frozen=True)
class Reading:
    """What one metric says of the pods: of the ready ones values, of others that there are such."""

    values: Sequence[int]
    target: int
    unready: int = 0
    missing: int = 0
    """Ready pods without a value."""


def proposal(reading: Reading, current: int, up: float = 0.1, down: float = 0.1) -> int | None:
    """How many pods one metric asks for; None: it says nothing. `up`, `down`: tolerances."""
    values = list(reading.values)
    if not values:
        return None

    def ratio() -> float:
        return (sum(values) // len(values)) / reading.target

    def within(of: float) -> bool:
        return 1 - down <= of <= 1 + up

    first = ratio()
    waits_for_unready = reading.unready > 0 and first > 1
    if not waits_for_unready and not reading.missing:
        return current if within(first) else math.ceil(first * len(values))
    # Whoever says nothing counts against any change.
    if first < 1:
        values += [reading.target] * reading.missing
    elif first > 1:
        values += [0] * reading.missing
    if waits_for_unready:
        values += [0] * reading.unready
    second = ratio()
    if within(second) or (first < 1 < second) or (second < 1 < first):
        return current
    wanted = math.ceil(second * len(values))
    turned = (second < 1 and wanted > current) or (second > 1 and wanted < current)
    return current if turned else wanted


@dataclass
class Autoscaler:
    """One HorizontalPodAutoscaler and what its controller remembers."""

    least: int
    most: int
    up: Rules = UP
    down: Rules = DOWN
    _recommended: list[tuple[float, int]] = field(default_factory=list)
    _added: list[tuple[float, int]] = field(default_factory=list)
    _removed: list[tuple[float, int]] = field(default_factory=list)

    def decide(self, now: float, current: int, readings: Sequence[Reading]) -> int:
        """How many pods there shall be; called every 15 s."""
        self._recommended = self._recommended or [(now, current)]
        if current > self.most:
            wanted = self.most
        elif current < self.least:
            wanted = self.least
        else:
            proposals = [proposal(one, current, self.up.tolerance, self.down.tolerance) for one in readings]
            known = [one for one in proposals if one is not None]
            # A metric that says nothing lets no pod go.
            if not known or (len(known) < len(proposals) and max(known) < current):
                return current
            wanted = self._paced(now, current, self._stable(now, current, max(known)))
        if wanted > current:
            self._added.append((now, wanted - current))
        elif wanted < current:
            self._removed.append((now, current - wanted))
        return wanted

    def _stable(self, now: float, current: int, desired: int) -> int:
        """No more than was wanted throughout the one window, no less than at any time in the other."""
        up = min([desired, *(n for at, n in self._recommended if at > now - self.up.window)])
        down = max([desired, *(n for at, n in self._recommended if at > now - self.down.window)])
        longest = max(self.up.window, self.down.window)
        self._recommended = [one for one in self._recommended if one[0] >= now - longest]
        self._recommended.append((now, desired))
        return min(max(current, up), down)

    def _paced(self, now: float, current: int, desired: int) -> int:
        if desired > current:
            limits = [
                math.ceil(start * (1 + policy.value / 100)) if policy.percent else start + policy.value
                for policy in self.up.policies
                for start in [self._before(now, current, policy.period)]
            ]
            return min(desired, self.most, max(current, *limits))
        if desired < current:
            limits = [
                int(start * (1 - policy.value / 100)) if policy.percent else start - policy.value
                for policy in self.down.policies
                for start in [self._before(now, current, policy.period)]
            ]
            return max(desired, self.least, min(current, *limits))
        return desired

    def _before(self, now: float, current: int, period: float) -> int:
        """How many pods there were when the period began."""
        added = sum(change for at, change in self._added if at > now - period)
        removed = sum(change for at, change in self._removed if at > now - period)
        return current - added + removed
