"""The gate, on numbers whose outcome is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sentiment_models import judge, quantise
from sentiment_models.calibrate import Floats

RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, 2, 2000)
MARGIN = (LABELS * 2 - 1) * 1.5 + RNG.normal(0, 1.5, 2000)


def logits(margin: Floats) -> Floats:
    return np.stack((-margin / 2, margin / 2), axis=1)


def verdict(after: Floats, bars: judge.Bars) -> judge.Verdict:
    found, _ = judge.fit(logits(MARGIN[:1000]), LABELS[:1000])
    before, labels = logits(MARGIN[1000:]), LABELS[1000:]
    return judge.compare(
        judge.score(before, labels, found),
        judge.score(logits(after[1000:]), labels, found),
        judge.right(before, labels, found),
        judge.right(logits(after[1000:]), labels, found),
        bars,
    )


def test_the_same_answers_pass() -> None:
    found = verdict(MARGIN, judge.Bars())
    assert found.passed
    assert found.drop == 0
    assert found.drop_interval == (0, 0)


def test_a_drop_above_the_bar_is_refused_by_name() -> None:
    worse = MARGIN + RNG.normal(0, 2.5, 2000)
    found = verdict(worse, judge.Bars(accuracy_drop=0.005, calibration_rise=1))
    assert not found.passed
    assert found.refused.startswith("accuracy falls by ")
    assert found.drop_interval[0] < found.drop < found.drop_interval[1]
    assert verdict(worse, judge.Bars(accuracy_drop=0.5, calibration_rise=1)).passed


def test_a_rise_of_the_calibration_error_is_refused_by_name() -> None:
    found = verdict(MARGIN * 6, judge.Bars(calibration_rise=0.01))
    assert found.drop == pytest.approx(0, abs=0.01)
    assert "calibration error rises by " in found.refused


def test_a_model_that_knows_nothing_is_not_calibrated() -> None:
    found, fitted = judge.fit(logits(-MARGIN), LABELS)
    assert (found, fitted) == (judge.IDENTITY, False)


def test_wilson_by_hand() -> None:
    assert judge.wilson(90, 100) == (0.8256, 0.9448)
    assert judge.wilson(0, 10)[0] == 0
    assert judge.wilson(10, 10)[1] == 1


def attempt(name: str, milliseconds: float, refused: str = "", how: str = "none") -> judge.Attempt:
    scores = judge.Scores(0.9, (0.88, 0.92), 0.9, 0.01, 1000)
    verdict = judge.Verdict(0, (0, 0), 0, refused)
    return judge.Attempt(quantise.Candidate(name, how), milliseconds, 1, 3 / milliseconds, scores, verdict)


def test_the_fastest_that_passed_is_taken() -> None:
    tried = [attempt("int8", 1, "accuracy falls"), attempt("bf16", 2), attempt("fp32", 3)]
    chosen = judge.fastest(tried)
    assert chosen is not None
    assert chosen.candidate.precision == "bf16"
    assert judge.fastest(tried[:1]) is None
    assert json.loads(json.dumps(tried[0].record()))["refused"] == "accuracy falls"


@pytest.mark.parametrize(("milliseconds", "chosen"), [(0.95, "weights"), (0.5, "post-training")])
def test_quantised_activations_must_be_clearly_faster(milliseconds: float, chosen: str) -> None:
    tried = [attempt("int8", 1, how="weights"), attempt("int8", milliseconds, how="post-training")]
    found = judge.fastest(tried)
    assert found is not None
    assert found.candidate.quantisation == chosen


def test_each_precision_goes_on_to_gentler_ones_only() -> None:
    names = {asked: [one.shown for one in quantise.order(asked)] for asked in quantise.PRECISIONS}
    assert names["int8"] == names["auto"] == ["int8 (weights)", "int8 (post-training)", "bf16", "fp32"]
    assert names["bf16"] == ["bf16", "fp32"]
    assert names["fp32"] == ["fp32"]
    assert [one.shown for one in quantise.order("bf16", 30)] == [
        "bf16 (pruned 30 %)", "fp32 (pruned 30 %)", "bf16", "fp32",
    ]  # fmt: skip
    assert [one.shown for one in quantise.order("auto", engine="torch")] == ["fp32"]


@pytest.mark.parametrize(("drop", "per_point"), [(0.02, 1.0), (0.0, None), (-0.01, None)])
def test_the_speed_gained_for_each_point_lost(drop: float, per_point: float | None) -> None:
    scores = judge.Scores(0.9, (0.88, 0.92), 0.9, 0.01, 1000)
    one = quantise.Candidate("int8", "weights", 50)
    made = judge.Attempt(one, 1.0, 1, 3.0, scores, judge.Verdict(drop, (0, 0), 0, ""))
    assert made.record()["speedup_per_point"] == per_point
