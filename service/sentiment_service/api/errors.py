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
from sentiment_service.engine.catalogue import UnknownModelError
from sentiment_service.engine.lifecycle import ModelUnavailableError
from sentiment_service.engine.process import EngineFailedError
from sentiment_service.logs import log_error

_HTTP_MESSAGES = {
    404: "there is nothing at this path; /docs lists what there is",
    405: "this path does not take this method; the Allow header lists what it takes",
}
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}

# The Open Inference Protocol has an error body of its own.
INFERENCE_PREFIX = "/v2"


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
        case UnknownModelError():
            return ApiError(404, "unknown_model", str(error))
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
            message = _HTTP_MESSAGES.get(error.status_code, str(error.detail))
            return ApiError(error.status_code, code, message, headers=dict(error.headers or {}))
    return ApiError(500, "internal_error", "an unexpected error; the log has it under this X-Request-ID")


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


def is_inference(path: str) -> bool:
    """Whether a path, without ROOT_PATH, belongs to the Open Inference Protocol."""
    return path == INFERENCE_PREFIX or path.startswith(INFERENCE_PREFIX + "/")


def respond(error: ApiError, path: str, request_id: str) -> tuple[dict[str, Any], bytes]:
    """The ASGI start message and the body: the envelope, or what the Open Inference Protocol says."""
    body: dict[str, Any]
    if is_inference(path):
        status = 400 if error.status == 422 else error.status
        body = {"error": error.message}
    else:
        status = error.status
        problem = {"code": error.code, "message": error.message}
        body = {"success": False, "error": problem, "request_id": request_id}
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
    headers = {"content-type": "application/json", "content-length": str(len(content)), **error.headers}
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}, content


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


class _Answer(Response):
    """An error as a response of the framework."""

    def __init__(self, error: ApiError, path: str, request_id: str) -> None:
        start, content = respond(error, path, request_id)
        super().__init__(content, start["status"])
        self.raw_headers = start["headers"]


async def _handle(request: Request, cause: Exception) -> Response:
    error = from_exception(cause)
    log_api_error(error, request.state.request_id, {"endpoint": request.state.path[:200]}, cause)
    return _Answer(error, request.state.path, request.state.request_id)


def install(app: FastAPI) -> None:
    for kind in (
        ApiError,
        QueueFullError,
        UnknownModelError,
        ModelUnavailableError,
        EngineFailedError,
        ClosedError,
        RequestValidationError,
        HTTPException,
    ):
        app.add_exception_handler(kind, _handle)
