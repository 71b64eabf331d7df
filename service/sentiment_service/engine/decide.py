"""From two logits to the label that is shown. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from sentiment_service.engine.package import Manifest


class Sentiment(Enum):
    POSITIVE = ("积极", "Positive")
    NEUTRAL = ("中性", "Neutral")
    NEGATIVE = ("消极", "Negative")

    @property
    def chinese(self) -> str:
        return self.value[0]

    @property
    def english(self) -> str:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one text.

    The model knows two classes. `confidence` is the probability of the shown label for 积极 (p) and
    消极 (1-p). 中性 is a band around the threshold, not a class, so there is no probability of it: its
    confidence is max(p, 1-p), how sure the model is of the likelier of its two classes. It is near 0.5,
    and the lower it is, the more neutral the text.
    """

    sentiment: Sentiment
    confidence: float
    positive: float
    truncated: bool


def probability(negative_logit: float, positive_logit: float, temperature: float, bias: float) -> float:
    """Calibrated probability of the positive class."""
    z = (positive_logit - negative_logit) / temperature + bias
    if z >= 0:
        return 1.0 / (1.0 + math.exp(-z))
    e = math.exp(z)
    return e / (1.0 + e)


def decide(logits: tuple[float, float], truncated: bool, manifest: Manifest) -> Prediction:
    p = probability(logits[0], logits[1], manifest.temperature, manifest.bias)
    if manifest.neutral.low <= p < manifest.neutral.high:
        return Prediction(Sentiment.NEUTRAL, max(p, 1.0 - p), p, truncated)
    if p >= manifest.threshold:
        return Prediction(Sentiment.POSITIVE, p, p, truncated)
    return Prediction(Sentiment.NEGATIVE, 1.0 - p, p, truncated)
