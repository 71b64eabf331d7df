"""What goes wrong with a request as a whole."""

from __future__ import annotations

import json

import httpx


class SentimentError(Exception):
    """Every error of this client."""


class ConnectionFailedError(SentimentError):
    """No answer, whole or in part: no connection, or it broke, or it took too long."""


class StreamBrokenError(ConnectionFailedError):
    """The answer ended before all texts had theirs."""


class ServiceError(SentimentError):
    """The service said no, in words: `code` is for programs, the message for people."""

    def __init__(self, status: int, code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(f"{message} ({code}, HTTP {status}, request {request_id or 'unknown'})")
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id


def to_error(response: httpx.Response) -> ServiceError:
    """From the service's envelope, or from what a proxy before it says."""
    request_id = response.headers.get("X-Request-ID")
    try:
        body = response.json()
        error = body["error"]
        return ServiceError(
            response.status_code, error["code"], error["message"], body.get("request_id", request_id)
        )
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return ServiceError(
            response.status_code, "http_error", response.reason_phrase or "no reason given", request_id
        )


def unreachable(error: httpx.TransportError, url: httpx.URL) -> ConnectionFailedError:
    """With the address, which the transport's own words leave out."""
    return ConnectionFailedError(f"{url}: {error or type(error).__name__}")
