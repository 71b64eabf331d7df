"""From logits to probabilities that mean what they say, and the neutral band. Pure (numpy)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A band is neutral where the model is right less often than this, on the calibration part …
NEUTRAL_ACCURACY = 0.70
# … and no wider than this share of the texts.
NEUTRAL_SHARE = 0.08


@dataclass(frozen=True)
class Calibration:
    """p(正面) = sigmoid(margin / temperature + bias); 中性 where low < p < high."""

    temperature: float
    bias: float
    threshold: float
    low: float
    high: float

    def probability(self, margin: Floats) -> Floats:
        """Probability of 正面 [texts] from logit1 − logit0 [texts]."""
        return sigmoid(margin / self.temperature + self.bias)


def sigmoid(x: Floats) -> Floats:
    """Without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def platt(margin: Floats, labels: Ints, steps: int = 50) -> tuple[float, float]:
    """(temperature, bias) of least log loss, by Newton's method with a trace of ridge."""
    scale = float(np.std(margin)) or 1.0
    design = np.stack((margin / scale, np.ones_like(margin)), axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(steps):
        p = sigmoid(design @ weights)
        gradient = design.T @ (p - labels) / len(labels) + 1e-6 * weights
        curvature = (design * (p * (1 - p))[:, None]).T @ design / len(labels) + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    if weights[0] <= 0:
        raise ValueError("the model ranks the classes the wrong way round")
    return scale / float(weights[0]), float(weights[1])


def expected_calibration_error(p: Floats, labels: Ints, bins: int = 15) -> float:
    """ECE of the predicted class's confidence max(p, 1 − p), `bins` equal bins over [0, 1]."""
    confidence = np.maximum(p, 1 - p)
    right = (p >= 0.5) == (labels == 1)
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    total = 0.0
    for number in range(bins):
        inside = which == number
        if inside.any():
            total += inside.sum() * abs(float(confidence[inside].mean()) - float(right[inside].mean()))
    return total / len(labels)


def neutral_band(
    p: Floats,
    labels: Ints,
    threshold: float,
    accuracy: float = NEUTRAL_ACCURACY,
    share: float = NEUTRAL_SHARE,
) -> tuple[float, float]:
    """The widest band around the threshold that is unsure enough and holds few enough of the texts."""
    best = 0.0
    distance = np.abs(p - threshold)
    right = (p >= threshold) == (labels == 1)
    for half in np.arange(0.01, 0.201, 0.01):
        inside = distance < half
        if inside.mean() > share:
            break
        if inside.any() and right[inside].mean() <= accuracy:
            best = float(half)
    return round(threshold - best, 4), round(threshold + best, 4)


def fit(margin: Floats, labels: Ints) -> Calibration:
    """All of it, from the calibration part alone."""
    temperature, bias = platt(margin, labels)
    p = sigmoid(margin / temperature + bias)
    low, high = neutral_band(p, labels, 0.5)
    return Calibration(round(temperature, 6), round(bias, 6), 0.5, low, high)


def macro_f1(predicted: Ints, labels: Ints) -> float:
    """Mean F1 of both classes."""
    scores = []
    for name in (0, 1):
        hit = int(((predicted == name) & (labels == name)).sum())
        total = int((predicted == name).sum()) + int((labels == name).sum())
        scores.append(2 * hit / total if total else 0.0)
    return sum(scores) / 2


def mcnemar(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Two-sided exact p of the sign test on the texts that only one of two models has right."""
    better, worse = int((right & ~other).sum()), int((other & ~right).sum())
    n = better + worse
    tail = sum(math.comb(n, k) for k in range(min(better, worse) + 1)) / 2**n
    return float(min(1.0, 2 * tail))
