"""A typed client of the sentiment service."""

from sentiment_client.answers import Answer, Failure
from sentiment_client.asynchronous import AsyncSentimentClient
from sentiment_client.errors import ConnectionFailedError, SentimentError, ServiceError, StreamBrokenError
from sentiment_client.frames import analyze_frame
from sentiment_client.synchronous import SentimentClient

__all__ = [
    "Answer",
    "AsyncSentimentClient",
    "ConnectionFailedError",
    "Failure",
    "SentimentClient",
    "SentimentError",
    "ServiceError",
    "StreamBrokenError",
    "analyze_frame",
]
