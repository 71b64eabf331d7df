"""The gate: what a precision costs, and whether that is allowed. Pure (numpy)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment_models import calibrate
from sentiment_models.calibrate import Calibration, Floats, Ints
from sentiment_models.quantise import Candidate

IDENTITY = Calibration(1.0, 0.0, 0.5, 0.5, 0.5)
RESAMPLES = 2000
CONFIDENCE = 1.96
"""Standard deviations of a 95 % interval."""


@dataclass(frozen=True)
class Bars:
    """The most that accuracy may fall and that the calibration error may rise, as fractions of 1."""

    accuracy_drop: float = 0.005
    calibration_rise: float = 0.01


@dataclass(frozen=True)
class Scores:
    """On the judged part. Intervals are of 95 %."""

    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    ece: float
    texts: int


@dataclass(frozen=True)
class Verdict:
    """`refused` is empty, or names what was refused."""

    drop: float
    drop_interval: tuple[float, float]
    calibration_rise: float
    refused: str

    @property
    def passed(self) -> bool:
        return not self.refused


def fit(logits: Floats, labels: Ints) -> tuple[Calibration, bool]:
    """(from the calibration part, whether it could be fitted). A model that knows nothing stays as it is."""
    try:
        return calibrate.fit(margin(logits), labels), True
    except ValueError:
        return IDENTITY, False


def margin(logits: Floats) -> Floats:
    return np.asarray(logits[:, 1] - logits[:, 0], dtype=np.float64)


def right(logits: Floats, labels: Ints, found: Calibration) -> NDArray[np.bool_]:
    """Which texts are told rightly, the neutral band left aside."""
    return np.asarray((found.probability(margin(logits)) >= found.threshold) == (labels == 1))


def score(logits: Floats, labels: Ints, found: Calibration) -> Scores:
    p = found.probability(margin(logits))
    hits = right(logits, labels, found)
    return Scores(
        round(float(hits.mean()), 4),
        wilson(int(hits.sum()), len(hits)),
        round(calibrate.macro_f1((p >= found.threshold).astype(np.int64), labels), 4),
        round(calibrate.expected_calibration_error(p, labels), 4),
        len(labels),
    )


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Wilson's interval of a share."""
    z, p = CONFIDENCE, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


def paired(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[float, tuple[float, float]]:
    """(drop of accuracy, its bootstrap interval) on the same texts; the resampling's seed is fixed."""
    change = before.astype(np.float64) - after.astype(np.float64)
    chosen = np.random.default_rng(0).integers(0, len(change), (RESAMPLES, len(change)))
    low, high = np.quantile(change[chosen].mean(axis=1), (0.025, 0.975))
    return round(float(change.mean()), 4), (round(float(low), 4), round(float(high), 4))


def compare(
    before: Scores,
    after: Scores,
    hits_before: NDArray[np.bool_],
    hits_after: NDArray[np.bool_],
    bars: Bars,
) -> Verdict:
    """Whether `after` may replace `before` (fp32). The bars hold for the values, not for the intervals."""
    drop, interval = paired(hits_before, hits_after)
    rise = round(after.ece - before.ece, 4)
    reasons = []
    if drop > bars.accuracy_drop:
        reasons.append(f"accuracy falls by {drop * 100:.2f} points, {bars.accuracy_drop * 100:g} are allowed")
    if rise > bars.calibration_rise:
        reasons.append(
            f"calibration error rises by {rise * 100:.2f} points, {bars.calibration_rise * 100:g} are allowed"
        )
    return Verdict(drop, interval, rise, "; ".join(reasons))


@dataclass(frozen=True)
class Attempt:
    """One candidate, measured: median milliseconds of a text of 32 tokens, bytes on disk.

    speedup: of fp32's time, how many times as fast.
    """

    candidate: Candidate
    milliseconds: float
    bytes: int
    speedup: float
    scores: Scores
    verdict: Verdict

    @property
    def speedup_per_point(self) -> float | None:
        """Speed gained (1: once more fp32's) for each percentage point of accuracy lost; None: none was."""
        lost = 100 * self.verdict.drop
        return round((self.speedup - 1) / lost, 3) if lost > 0 else None

    def record(self) -> dict[str, Any]:
        """For model.json and the report."""
        scores, verdict = asdict(self.scores), asdict(self.verdict)
        return {
            **asdict(self.candidate),
            "milliseconds": round(self.milliseconds, 3), "bytes": self.bytes,
            "speedup": round(self.speedup, 3), "speedup_per_point": self.speedup_per_point,
            **scores, **verdict, "passed": self.verdict.passed,
        }  # fmt: skip


_CLEARLY = 1.15


def fastest(attempts: Sequence[Attempt]) -> Attempt | None:
    """Of those that passed. Quantised activations take a third more memory and are slower with few callers,
    whose texts have all lengths; so they must be clearly faster."""
    passed = [one for one in attempts if one.verdict.passed]

    def time(one: Attempt) -> float:
        return one.milliseconds * (_CLEARLY if one.candidate.quantisation == "post-training" else 1)

    return min(passed, key=time, default=None)
