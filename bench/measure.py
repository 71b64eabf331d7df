"""What the parts of the benchmark share: the order of the texts, statistics, the state of the machine. Pure
but for `machine`."""

from __future__ import annotations

import os
import platform
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sentiment_service.processor import processor

from bench.texts import reviews

# Texts that a plan of the raw engine may sort; the servers get the same ones.
POOL = 400
STRATA = 100


def mixed(count: int, seed: int = 1) -> list[str]:
    """Reviews in an order in which every hundred in a row have nearly the same lengths, so that a short
    measurement and a long one see the same work."""
    ordered = sorted(reviews(count, seed), key=len)
    chance = random.Random(seed)
    size = len(ordered) // STRATA
    strata = [ordered[at * size : (at + 1) * size] for at in range(STRATA)]
    for stratum in strata:
        chance.shuffle(stratum)
    blocks = [[stratum[at] for stratum in strata] for at in range(size)]
    for block in blocks:
        chance.shuffle(block)
    return [text for block in blocks for text in block]


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        if self.low == self.high:
            return figure(self.median)
        return f"{figure(self.median)} ({figure(self.low)}–{figure(self.high)})"


def figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Of figures taken in the same round; the slow are measured in fewer."""
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=False)])


def machine() -> dict[str, Any]:
    """What a reader needs to judge a figure. Of the processor also its vectors: virtual machines hide the
    model, and int8 with VNNI and without are two machines."""
    return {
        "cpu": str(processor()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "python": platform.python_version(),
    }


def load_average() -> float:
    """Of the last minute; the benchmark itself adds up to the number of cores."""
    return round(os.getloadavg()[0], 1)
