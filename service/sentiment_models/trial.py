"""The candidates of one model, made and judged one after another. What is compared with what; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sentiment_models import faults, isolated, judge, measure, quantise
from sentiment_models.calibrate import Calibration, Floats
from sentiment_models.evaluation import Evaluation
from sentiment_models.progress import Progress
from sentiment_models.quantise import Candidate

WHOLE = Candidate("fp32", "none")


@dataclass(frozen=True)
class Rows:
    """Token ids. `ranges`: those that post-training quantisation takes its ranges from."""

    calibration: Sequence[Sequence[int]]
    judged: Sequence[Sequence[int]]
    ranges: Sequence[Sequence[int]]


class Scale:
    """What every candidate is compared with: the whole model in fp32, its logits [texts, 2] and its speed.

    LabelsReversed when even that is wrong more often than right.
    """

    def __init__(
        self, texts: Evaluation, rows: Rows, bars: judge.Bars, logits: Floats, milliseconds: float
    ) -> None:
        self.texts, self.bars = texts, bars
        self.rows, self.ranges = [*rows.calibration, *rows.judged], rows.ranges
        self.labels = np.array([e.label for e in (*texts.calibration, *texts.judged)], dtype=np.int64)
        self.cut = len(rows.calibration)
        self.calibrations: dict[Candidate, Calibration] = {}
        self.whole = measure.Measured(logits, milliseconds)
        self.scores, self.hits = self._score(WHOLE, logits)
        if self.scores.accuracy_interval[1] < 0.5:
            raise faults.LabelsReversed(
                f"the model is right in {self.scores.accuracy * 100:.1f} % of the judged texts"
            )

    def _score(self, key: Candidate, logits: Floats) -> tuple[judge.Scores, Any]:
        found, self.fitted = judge.fit(logits[: self.cut], self.labels[: self.cut])
        self.calibrations[key] = found
        rest, labels = logits[self.cut :], self.labels[self.cut :]
        return judge.score(rest, labels, found), judge.right(rest, labels, found)

    def attempt(self, one: Candidate, found: measure.Measured, size: int) -> judge.Attempt:
        """The candidate as it was measured, judged."""
        scores, hits = self._score(one, found.logits)
        verdict = judge.compare(self.scores, scores, self.hits, hits, self.bars)
        speedup = self.whole.milliseconds / found.milliseconds
        return judge.Attempt(one, found.milliseconds, size, speedup, scores, verdict)

    def record(self, attempts: Sequence[judge.Attempt], chosen: judge.Attempt) -> dict[str, Any]:
        """The part of model.json that the gate decides."""
        one = chosen.candidate
        found = self.calibrations[one]
        return {
            "precision": one.precision, "quantisation": one.quantisation, "inference_precision": one.hint,
            "temperature": found.temperature, "bias": found.bias, "threshold": found.threshold,
            "neutral": {"low": found.low, "high": found.high},
            "accuracy": {
                "fp32": self.scores.accuracy,
                "pruned" if one.pruned else one.precision: chosen.scores.accuracy,
            },
            **({"pruned": one.pruned} if one.pruned else {}),
            "macro_f1": chosen.scores.macro_f1, "ece": chosen.scores.ece,
            "gate": {
                "max_accuracy_drop": self.bars.accuracy_drop,
                "max_calibration_rise": self.bars.calibration_rise,
                "evaluation": {"source": self.texts.source, "sha256": self.texts.sha256,
                               "calibration_texts": self.cut, "judged_texts": len(self.labels) - self.cut},
                "calibration_fitted": self.fitted,
                "before": asdict(self.scores),
                "attempts": [one.record() for one in attempts],
            },
        }  # fmt: skip


def attempts(
    wanted: Sequence[Candidate], scale: Scale, work: Path, every: bool, progress: Progress
) -> tuple[list[judge.Attempt], judge.Attempt | None]:
    """(what was tried, what is taken). every: all, and the fastest that passed; else the first that passed.

    Each candidate's IR is made in `work` from its origin in fp32, which lies there.
    """
    tried: list[judge.Attempt] = []
    for number, one in enumerate(wanted):
        progress.part(number / len(wanted), one.shown)
        made = ir(work, one)
        if one != one.origin:
            isolated.run(quantise.make, one, ir(work, one.origin), made, scale.ranges)
        found = scale.whole if one == WHOLE else isolated.run(measure.measure, made, one.hint, scale.rows)
        size = made.stat().st_size + made.with_suffix(".bin").stat().st_size
        tried.append(scale.attempt(one, found, size))
        progress.say(told(tried[-1]))
        if not every and tried[-1].verdict.passed:
            return tried, tried[-1]
    return tried, judge.fastest(tried)


def told(one: judge.Attempt) -> str:
    """A line for people."""
    verdict = "passes" if one.verdict.passed else f"refused: {one.verdict.refused}"
    scores, gain = one.scores, one.speedup_per_point
    speed = f"×{one.speedup:.2f}" + (f", {gain:+.2f} for each point lost" if gain is not None else "")
    return (
        f"{one.candidate.shown}: accuracy {scores.accuracy * 100:.2f} % ({one.verdict.drop * -100:+.2f}), "
        f"calibration error {scores.ece * 100:.2f} %, {one.milliseconds:.1f} ms ({speed}), "
        f"{one.bytes / 1e6:.0f} MB: {verdict}"
    )


def ir(work: Path, one: Candidate) -> Path:
    """Where a candidate's model.xml lies; its folder is there."""
    folder = work / one.folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "model.xml"
