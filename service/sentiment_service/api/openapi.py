"""What the OpenAPI document says beyond the routes: who we are, keys, ids."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from sentiment_service import __version__
from sentiment_service.api.guard import needs_key

ABOUT: dict[str, Any] = {
    "title": "sentiment-service",
    "summary": "Chinese sentiment analysis",
    "version": __version__,
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "openapi_tags": [
        {"name": "sentiment", "description": "One text, many texts."},
        {"name": "open inference protocol", "description": "KServe's v2 protocol: the same model behind it."},
        {"name": "health", "description": "Probes and metrics. They never need a key."},
    ],
}
CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST"],
    "allow_headers": ["Authorization", "Content-Type", "X-API-Key", "X-Request-ID", "traceparent"],
    "expose_headers": ["X-Request-ID", "Retry-After"],
    "max_age": 600,
}
_REQUEST_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "description": "your id for this request, [A-Za-z0-9._-]{1,128}; it comes back, and is in the log",
    "schema": {"type": "string"},
}
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "with API_KEYS_FILE only"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key"},
}


def install(app: FastAPI) -> None:
    """Make `app.openapi` the whole document; it is built when it is first asked for."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(routes=app.routes, tags=app.openapi_tags, **_about())
            for path, methods in document["paths"].items():
                for operation in methods.values():
                    _complete(path, operation)
            document["components"]["securitySchemes"] = _KEYS
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]


def _about() -> dict[str, Any]:
    return {key: value for key, value in ABOUT.items() if key != "openapi_tags"}


def _complete(path: str, operation: dict[str, Any]) -> None:
    # What FastAPI says of its own 422 is not what is answered here.
    wrong = operation["responses"].get("422", {})
    if "HTTPValidationError" in str(wrong):
        del operation["responses"]["422"]
    operation.setdefault("parameters", []).append(_REQUEST_ID)
    if needs_key(path):
        # The empty one: without API_KEYS_FILE no key is needed.
        operation["security"] = [{}, {"bearer": []}, {"header": []}]
    for status, answer in operation["responses"].items():
        if status in ("429", "503"):
            answer.setdefault("headers", {})["Retry-After"] = {
                "description": "seconds to wait before the next try",
                "schema": {"type": "integer"},
            }
