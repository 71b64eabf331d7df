"""Calibration, against data whose true probabilities are known."""

from __future__ import annotations

import numpy as np
import pytest
from sentiment_models import calibrate


def draw(count: int, temperature: float, bias: float) -> tuple[calibrate.Floats, calibrate.Ints]:
    rng = np.random.default_rng(3)
    margin = rng.normal(0, 6, count)
    labels = (rng.random(count) < calibrate.sigmoid(margin / temperature + bias)).astype(np.int64)
    return margin, labels


def test_platt_finds_the_temperature_and_bias_that_made_the_labels() -> None:
    temperature, bias = calibrate.platt(*draw(200_000, 2.5, -0.4))
    assert temperature == pytest.approx(2.5, rel=0.03)
    assert bias == pytest.approx(-0.4, abs=0.03)


def test_calibration_lowers_the_error_of_an_overconfident_model() -> None:
    margin, labels = draw(20_000, 4.0, 0.0)
    before = calibrate.expected_calibration_error(calibrate.sigmoid(margin), labels)
    found = calibrate.fit(margin, labels)
    after = calibrate.expected_calibration_error(found.probability(margin), labels)
    assert before > 0.08
    assert after < 0.01


def test_error_by_hand() -> None:
    p = np.array([0.9, 0.9, 0.9, 0.9, 0.1])
    labels = np.array([1, 1, 1, 0, 0])
    assert calibrate.expected_calibration_error(p, labels) == pytest.approx(0.1)


def test_the_band_is_unsure_modest_and_around_the_threshold() -> None:
    margin, labels = draw(20_000, 2.0, 0.1)
    found = calibrate.fit(margin, labels)
    p = found.probability(margin)
    inside = (p > found.low) & (p < found.high)
    assert found.low < found.threshold < found.high
    assert found.low + found.high == pytest.approx(2 * found.threshold)
    assert 0 < inside.mean() <= calibrate.NEUTRAL_SHARE
    assert ((p >= 0.5) == labels)[inside].mean() <= calibrate.NEUTRAL_ACCURACY + 0.02


def test_a_sure_model_has_no_band() -> None:
    p, labels = np.array([0.01] * 50 + [0.99] * 50), np.array([0] * 50 + [1] * 50)
    assert calibrate.neutral_band(p, labels, 0.5) == (0.5, 0.5)


def test_a_model_that_ranks_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="wrong way"):
        calibrate.platt(np.array([-2.0, -1.0, 1.0, 2.0, 0.5]), np.array([1, 1, 0, 0, 1]))


def test_macro_f1() -> None:
    assert calibrate.macro_f1(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])) == pytest.approx(
        (2 / 3 + 0.8) / 2
    )


def test_sigmoid_does_not_overflow() -> None:
    assert calibrate.sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_mcnemar_counts_only_the_texts_on_which_two_models_differ() -> None:
    right, other = np.array([True] * 9 + [False]), np.array([True] * 1 + [False] * 9)
    assert calibrate.mcnemar(right, other) == pytest.approx(2 * 0.5**8)
    assert calibrate.mcnemar(right, right) == 1.0
    one, two = np.array([True, False] * 5), np.array([False, True] * 5)
    assert calibrate.mcnemar(one, two) == 1.0
    assert calibrate.mcnemar(other, right) == calibrate.mcnemar(right, other)
