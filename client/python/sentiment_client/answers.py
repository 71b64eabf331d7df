"""What the service says about a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Sentiment = Literal["积极", "中性", "消极"]
Label = Literal["Positive", "Neutral", "Negative"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One text's sentiment.

    `confidence` is the probability of the shown label; for 中性, which is a band and no class, that of the
    likelier class. `positive` is the probability of 积极; of a single text the service does not tell it.
    """

    text: str
    sentiment: Sentiment
    english_label: Label
    confidence: float
    positive: float | None = None
    truncated: bool = False
    ok: Literal[True] = True


@dataclass(frozen=True, slots=True)
class Failure:
    """Why this one text has no answer; the texts beside it have theirs."""

    text: str
    code: str
    message: str
    ok: Literal[False] = False


def to_answer(text: str, found: dict[str, Any]) -> Answer | Failure:
    """From the wire: the data of one text, an item of a batch, or a line of a stream."""
    if error := found.get("error"):
        return Failure(text, error["code"], error["message"])
    probabilities = found.get("probabilities")
    return Answer(
        text=text,
        sentiment=found["sentiment"],
        english_label=found["english_label"],
        confidence=found["confidence"],
        positive=probabilities["positive"] if probabilities else None,
        truncated=bool(found.get("truncated")),
    )
