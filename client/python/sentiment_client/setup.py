"""What both clients have in common: how requests look and when they are made again."""

from __future__ import annotations

import json
from typing import Any

import httpx
from httpx_retries import Retry

ANALYZE = "api/v1/sentiment/analyze"
BATCH = "api/v1/sentiment/analyze/batch"
STREAM = "api/v1/sentiment/analyze/stream"
INFO = "api/v1/info"
HEALTH = "health"

LINES = {"Content-Type": "application/x-ndjson"}

_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 15.0


def retry(times: int) -> Retry:
    """Retry-After counts; else the wait doubles. An analysis changes nothing, so a POST may be made again."""
    return Retry(
        total=times,
        allowed_methods=["GET", "POST"],
        backoff_factor=_FIRST_WAIT_SECONDS,
        max_backoff_wait=_LONGEST_WAIT_SECONDS,
    )


def settings(base_url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """Arguments of httpx's clients."""
    url = base_url if base_url.endswith("/") else f"{base_url}/"
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return {"base_url": url, "headers": headers, "timeout": httpx.Timeout(timeout, connect=5)}


def json_body(value: Any) -> dict[str, Any]:
    """Arguments of a request. httpx's own `json=` stumbles over lone surrogates."""
    return {"content": json.dumps(value).encode(), "headers": {"Content-Type": "application/json"}}


def chosen(asked: dict[str, Any], model: str | None) -> dict[str, Any]:
    """With the model's name, where the caller chose one of several."""
    return {**asked, "model": model} if model else asked
