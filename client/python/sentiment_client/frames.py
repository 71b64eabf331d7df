"""For data frames of pandas (the extra `pandas`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentiment_client.synchronous import SentimentClient

if TYPE_CHECKING:
    import pandas as pd


def analyze_frame(
    client: SentimentClient, frame: pd.DataFrame, column: str = "text", *, model: str | None = None
) -> pd.DataFrame:
    """A copy with the columns sentiment, confidence, positive and error; a missing text has an error."""
    texts = frame[column].fillna("").astype(str)
    answers = list(client.analyze_stream(texts, model=model))
    return frame.assign(
        sentiment=[one.sentiment if one.ok else None for one in answers],
        confidence=[one.confidence if one.ok else None for one in answers],
        positive=[one.positive if one.ok else None for one in answers],
        error=[None if one.ok else one.message for one in answers],
    )
