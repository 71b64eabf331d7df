"""What a condition says of a package fits into what the kubelet passes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from sentiment_models import judge, quantise, summary, trial
from sentiment_models.corpus import Example
from sentiment_models.evaluation import Evaluation
from sentiment_models.progress import Progress
from sentiment_models.sources.credentials import Credentials

MOST_BYTES = 4096
REFUSED = (
    "accuracy falls by 12.34 points, 0.5 are allowed; calibration error rises by 12.34 points, 1 are allowed"
)
SCORES = judge.Scores(0.8765, (0.8543, 0.8987), 0.8755, 0.0321, 1000)


def attempt(one: quantise.Candidate) -> judge.Attempt:
    verdict = judge.Verdict(0.1234, (-0.1123, 0.1345), 0.1234, REFUSED)
    return judge.Attempt(one, 123.456, 408_000_000, 12.345, SCORES, verdict)


def manifest(**gate: Any) -> dict[str, Any]:
    return {
        "name": "n" * 128, "digest": "sha256:" + "0" * 64, "revision": "sha256-" + "0" * 64,
        "precision": "fp32", "accuracy": {"fp32": 0.8765}, "files": {"model.bin": {"bytes": 408_000_000}},
        "gate": gate,
    }  # fmt: skip


def test_the_longest_report_is_passed_on_whole(tmp_path: Path) -> None:
    attempts = [attempt(one).record() for one in quantise.order("auto", 90)]
    before = trial.Scale(*halves()).record([], attempt(trial.WHOLE))["gate"]["before"]
    found = summary.facts(manifest(before=before, attempts=attempts))
    assert len(found["attempts"]) == 8
    assert found["attempts"][0]["dropInterval"] == [-11.23, 13.45]
    assert set(found["before"]) == {
        "accuracyPercent", "accuracyInterval", "macroF1Percent", "calibrationErrorPercent",
    }  # fmt: skip
    report = tmp_path / "report.json"
    with Progress(report, Credentials({}), quiet=True) as progress:
        progress.phase("Fetching", source="modelscope://" + "x" * 200)
        progress.bytes(408_000_000, 408_000_000)
        progress.part(1.0, revision="0" * 40)
        progress.succeeded(**found, package="/models/0123456789")
    assert len(report.read_bytes()) <= MOST_BYTES
    assert json.loads(report.read_text())["attempts"] == found["attempts"]


def test_a_package_of_before_says_less() -> None:
    assert "before" not in summary.facts(manifest())


def halves() -> Any:
    """What trial.Scale takes: 100 texts to fit on, 100 to judge."""
    labels = np.arange(200) % 2
    texts = tuple(Example("x", int(one)) for one in labels)
    found = Evaluation("e.csv", "", texts[:100], texts[100:])
    margin = (labels * 2 - 1) * 2 + np.random.default_rng(1).normal(0, 2, 200)
    rows = trial.Rows([[1]] * 100, [[1]] * 100, [])
    return found, rows, judge.Bars(), np.stack((-margin / 2, margin / 2), axis=1), 1.0


def test_nothing_is_fitted_on_the_texts_that_are_judged() -> None:
    straight = trial.Scale(*halves())
    found = straight.calibrations[trial.WHOLE]
    assert found != judge.IDENTITY
    texts, rows, bars, logits, _ = halves()
    logits[100:] = 7 * logits[100:] + [0, 1]
    again = trial.Scale(texts, rows, bars, logits, 1.0)
    assert again.calibrations[trial.WHOLE] == found
    assert again.scores != straight.scores
