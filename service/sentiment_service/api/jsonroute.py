"""A route that reads one JSON body and answers one JSON body, and bounds what either may cost.

FastAPI documents it from the endpoint's signature, as always. At run time its generic path is left out:
it would keep one error for each of a million wrong items, take a body without a type for JSON, and spend
more on a short text than the model does.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from sentiment_service.api.errors import ApiError

Model = TypeVar("Model", bound=BaseModel)

_BOM = b"\xef\xbb\xbf"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse(model: type[Model], body: bytes) -> Model:
    """The body as `model`; `ApiError` 400 when it is not JSON in UTF-8, 422 naming the first wrong field.

    A lone surrogate escape (`"\\ud800"`) is kept: each endpoint decides what to say about such a text. Of
    keys given twice the last one counts.
    """
    if not body.strip():
        raise ApiError(400, "invalid_json", "the body is empty; it must be a JSON object")
    try:
        value = _loads(body)
    except json.JSONDecodeError as error:
        raise ApiError(
            400, "invalid_json", f"the body is not valid JSON: {error.msg} at character {error.pos}"
        ) from error
    except UnicodeDecodeError as error:
        raise ApiError(400, "invalid_json", f"the body is not UTF-8: byte {error.start} is wrong") from error
    except RecursionError as error:
        raise ApiError(400, "invalid_json", "the body is nested too deeply") from error
    except ValueError as error:  # NaN and infinities; integers of thousands of digits
        raise ApiError(400, "invalid_json", "the body holds a number that cannot be taken") from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(error) from error


def _loads(body: bytes) -> Any:
    # The collector would look through a million small lists again and again: ten times the time.
    gc.disable()
    try:
        return json.loads(body.removeprefix(_BOM).decode("utf-8"), parse_constant=_no_constant)
    finally:
        gc.enable()


def _invalid(error: ValidationError) -> ApiError:
    """Names the field and the rule. Never the value: it may be long, secret, or no valid Unicode."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if not where:
        return ApiError(422, "invalid_request", "the body must be a JSON object")
    return ApiError(422, "invalid_request", f"{where}: {first['msg']}")


def check_content_type(given: str) -> None:
    """Other pages may send forms and plain text without asking, but not JSON: that is part of the guard."""
    kind = given.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError(
            415, "unsupported_media_type", "send the body as JSON, with Content-Type: application/json"
        )


class JsonRoute(APIRoute):
    """Calls `endpoint(body, request, **path parameters)`; it returns the model to answer with."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        if self.body_field is None:
            return super().get_route_handler()
        model: type[BaseModel] = self.body_field.field_info.annotation  # type: ignore[assignment]
        endpoint = self.endpoint
        exclude_none = self.response_model_exclude_none

        async def handle(request: Request) -> Response:
            check_content_type(request.headers.get("content-type", ""))
            body = parse(model, await request.body())
            answer: BaseModel = await endpoint(body, request, **request.path_params)
            return Response(answer.model_dump_json(exclude_none=exclude_none), media_type="application/json")

        return handle
