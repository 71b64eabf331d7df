"""Errors: one envelope for all, and the table from exception to status and code."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sentiment_service.engine.batcher import ClosedError, QueueFullError
from sentiment_service.engine.lifecycle import ModelUnavailableError
from sentiment_service.engine.process import EngineFailedError
from sentiment_service.logs import log_error

_HTTP_CODES = {400: "invalid_json", 404: "not_found", 405: "method_not_allowed"}


class ApiError(Exception):
    def __init__(
        self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def from_exception(error: Exception) -> ApiError:
    """What the caller is told about an exception of the engine or of the framework."""
    match error:
        case ApiError():
            return error
        case QueueFullError():
            return ApiError(
                429,
                "queue_full",
                "too many texts are waiting; try again later",
                headers={"Retry-After": str(error.retry_after)},
            )
        case ModelUnavailableError():
            return ApiError(503, "model_unavailable", str(error), headers={"Retry-After": "5"})
        case EngineFailedError():
            return ApiError(503, "engine_failed", f"{error}; try again", headers={"Retry-After": "1"})
        case ClosedError():
            return ApiError(503, "draining", "the service is stopping", headers={"Retry-After": "1"})
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            code = _HTTP_CODES.get(error.status_code, "http_error")
            return ApiError(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))
    return ApiError(500, "internal_error", "an unexpected error; the log has it under this request_id")


def _invalid(error: RequestValidationError) -> ApiError:
    """Names the field and the rule. Never the value: it may be long, secret, or no valid Unicode."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return ApiError(400, "invalid_json", "the body is not valid JSON")
    if first["type"] == "model_attributes_type":
        return ApiError(
            422, "invalid_request", "the body must be a JSON object with Content-Type: application/json"
        )
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    return ApiError(422, "invalid_request", f"{where}: {first['msg']}")


def error_body(code: str, message: str, request_id: str) -> bytes:
    body = {"success": False, "error": {"code": code, "message": message}, "request_id": request_id}
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")


def log_api_error(error: ApiError, request_id: str, context: dict[str, Any], cause: Exception) -> None:
    """5xx are ours and logged as errors, with the traceback when unexpected; 4xx are the caller's."""
    level = logging.ERROR if error.status >= 500 else logging.WARNING
    unexpected = error.status == 500
    log_error(
        request_id,
        type(cause).__name__ if unexpected else error.code,
        str(cause) if unexpected else error.message,
        {**context, "status": error.status},
        level=level,
        exception=cause if unexpected else None,
    )


async def _handle(request: Request, cause: Exception) -> Response:
    error = from_exception(cause)
    request_id = request.state.request_id
    log_api_error(error, request_id, {"endpoint": request.url.path[:200]}, cause)
    return Response(
        error_body(error.code, error.message, request_id),
        status_code=error.status,
        headers=error.headers,
        media_type="application/json",
    )


def install(app: FastAPI) -> None:
    for kind in (
        ApiError,
        QueueFullError,
        ModelUnavailableError,
        EngineFailedError,
        ClosedError,
        RequestValidationError,
        HTTPException,
    ):
        app.add_exception_handler(kind, _handle)
