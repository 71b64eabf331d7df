"""Loads over time, one value a second, in pods that it takes at exactly the target. Pure; seeded."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

HOUR = 3600


def steps() -> list[float]:
    """Twenty minutes each of little, much, and little again."""
    return [1.5] * 1200 + [6.0] * 1200 + [1.5] * 1200


def day(seed: int = 1) -> list[float]:
    """A day of people: quiet at night, with a noise of seconds and of minutes."""
    waves = noise(24 * HOUR, 0.15, 60, seed)
    return [
        (0.6 + 5.4 * max(0.0, math.sin(math.pi * (second / HOUR - 7) / 16)) ** 1.5) * wave
        for second, wave in enumerate(waves)
    ]


def noisy(seed: int = 2) -> list[float]:
    """Three hours of one mean, half as much or twice as much for a minute or so at a time."""
    return [3.0 * wave for wave in noise(3 * HOUR, 0.4, 45, seed)]


def bursts(seed: int = 3) -> list[float]:
    """Three hours with a burst of two minutes four times an hour, as batches of callers make it."""
    load = [1.5 * wave for wave in noise(3 * HOUR, 0.1, 30, seed)]
    for begin in range(600, len(load), 900):
        load[begin : begin + 120] = [value + 4 for value in load[begin : begin + 120]]
    return load


def noise(seconds: int, spread: float, memory: float, seed: int) -> list[float]:
    """Factors around 1 whose logarithm wanders and comes back within `memory` seconds."""
    chance = random.Random(seed)
    keep = math.exp(-1 / memory)
    step = spread * math.sqrt(1 - keep * keep)
    state, made = 0.0, []
    for _ in range(seconds):
        state = keep * state + chance.gauss(0, step)
        made.append(math.exp(state - spread * spread / 2))
    return made


def smooth(load: Sequence[float], seconds: int) -> list[float]:
    """The mean of the last seconds, as a rate over a window shows it."""
    total, made = 0.0, []
    for at, value in enumerate(load):
        total += value - (load[at - seconds] if at >= seconds else 0.0)
        made.append(total / min(at + 1, seconds))
    return made
