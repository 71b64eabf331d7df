"""The Open Inference Protocol v2 over REST: the same queue and engine behind the names of KServe."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from sentiment_service import __version__
from sentiment_service.api.errors import ApiError
from sentiment_service.api.inference_schemas import (
    OUTPUTS,
    TEXT,
    InferError,
    InferRequest,
    InferResponse,
    ModelMetadata,
    ModelReady,
    RequestInput,
    RequestOutput,
    ResponseOutput,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from sentiment_service.api.jsonroute import JsonRoute
from sentiment_service.api.routes import log_batch, problem_of
from sentiment_service.api.schemas import error_responses
from sentiment_service.app import Service
from sentiment_service.engine.decide import Prediction
from sentiment_service.engine.files import engine_of
from sentiment_service.engine.package import Manifest

_MODEL = "/v2/models/{name}"
_VERSION = "/v2/models/{name}/versions/{version}"


def texts_of(inputs: Sequence[RequestInput], max_items: int, max_length: int) -> list[str]:
    """The texts of the one input; `ApiError` 400 naming what is wrong with it."""
    if len(inputs) != 1 or inputs[0].name != TEXT:
        names = ", ".join(repr(one.name[:40]) for one in inputs)
        raise _bad(f"one input named {TEXT!r} is needed; there is {names}")
    [given] = inputs
    if given.datatype != "BYTES":
        raise _bad(f"input {TEXT!r} has datatype {given.datatype[:40]!r}; it must be 'BYTES'")
    if len(given.shape) > 2 or given.shape[1:] not in ([], [1]):
        raise _bad(f"input {TEXT!r} has shape {given.shape}; it must be [n] or [n, 1]")
    texts: list[str] = []
    for row in given.data:
        texts += row if isinstance(row, list) else [row]
    if len(texts) != given.shape[0]:
        raise _bad(f"input {TEXT!r} has shape {given.shape} but {len(texts)} elements of data")
    if not 1 <= len(texts) <= max_items:
        raise _bad(f"input {TEXT!r} has {len(texts)} texts; 1 to {max_items} (MAX_BATCH_ITEMS) are taken")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise _bad(f"input {TEXT!r}: element {index} is no string")
        problem = problem_of(text, max_length)
        if problem is not None:
            raise _bad(f"input {TEXT!r}: element {index}: {problem.message}")
    return texts


def names_of(outputs: Sequence[RequestOutput]) -> list[str]:
    """The outputs asked for, in their order; all when none is named."""
    names = [one.name for one in outputs] or list(OUTPUTS)
    for name in names:
        if name not in OUTPUTS:
            raise _bad(f"there is no output {name[:40]!r}; there are {', '.join(OUTPUTS)}")
    if len(set(names)) != len(names):
        raise _bad("an output is asked for twice")
    return names


def tensor(name: str, predictions: Sequence[Prediction]) -> ResponseOutput:
    """One output tensor, its data flat in row-major order."""
    data: list[Any] = []
    for one in predictions:
        match name:
            case "label":
                data.append(one.sentiment.chinese)
            case "english_label":
                data.append(one.sentiment.english)
            case "score":
                data.append(round(one.confidence, 6))
            case "probabilities":
                data += [round(1 - one.positive, 6), round(one.positive, 6)]
            case "truncated":
                data.append(one.truncated)
    datatype, rest = OUTPUTS[name]
    return ResponseOutput(name=name, shape=[len(predictions), *rest], datatype=datatype, data=data)


class _Models:
    """The packages that this server serves, whether they are loaded or not."""

    def __init__(self, service: Service) -> None:
        self._settings = service.settings
        self._service = service

    def find(self, name: str, version: str | None) -> tuple[str, Manifest]:
        """(the model as the service knows it, what its package says)."""
        model = self._service.models.find(name)
        manifest = self._service.models.manifest(model)
        if version not in (None, manifest.version):
            message = f"{manifest.name} has no version {str(version)[:80]!r}; it has {manifest.version!r}"
            raise ApiError(404, "unknown_version", message)
        return model, manifest

    def metadata(self, name: str, version: str | None) -> ModelMetadata:
        model, manifest = self.find(name, version)
        return ModelMetadata(
            name=name,
            versions=[manifest.version],
            platform=engine_of(self._settings.engine, self._service.models.directory(model)),
            inputs=[TensorMetadata(name=TEXT, datatype="BYTES", shape=[-1])],
            outputs=[
                TensorMetadata(name=output, datatype=datatype, shape=[-1, *rest])
                for output, (datatype, rest) in OUTPUTS.items()
            ],
        )

    def ready(self, name: str, version: str | None) -> Response:
        model, _ = self.find(name, version)
        ready = not self._service.status.unready(model)
        return JSONResponse({"name": name, "ready": ready}, 200 if ready else 503)

    async def infer(
        self, body: InferRequest, request: Request, name: str, version: str | None
    ) -> InferResponse:
        begin = time.perf_counter()
        if "inference-header-content-length" in request.headers:
            raise _bad("tensors in binary form are not taken: send `data` in the JSON (binary_data=False)")
        model, manifest = self.find(name, version)
        request.state.model = model
        names = names_of(body.outputs)
        texts = texts_of(body.inputs, self._settings.max_batch_items, self._settings.max_text_length)
        predictions = await self._service.runtime.analyze(texts, model=model, bulk=len(texts) > 1)
        log_batch(
            request,
            texts,
            [one.sentiment.chinese for one in predictions],
            seconds=time.perf_counter() - begin,
            preview_chars=self._settings.log_preview_chars,
        )
        return InferResponse(
            model_name=name,
            model_version=manifest.version,
            id=body.id,
            outputs=[tensor(output, predictions) for output in names],
        )


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["open inference protocol"], route_class=JsonRoute)
    model = _Models(service)
    failed = error_responses(500, model=InferError)
    guarded = error_responses(401, 500, model=InferError)
    found = error_responses(401, 404, 500, 503, model=InferError)
    ready = {**found, 503: {"model": ModelReady | InferError, "description": "not ready, or no package"}}
    inferred = error_responses(400, 401, 404, 408, 413, 415, 429, 500, 503, 504, model=InferError)

    @routes.get("/v2", responses=guarded)
    async def server_metadata() -> ServerMetadata:
        """Name and version of this server."""
        return ServerMetadata(name="sentiment-service", version=__version__, extensions=[])

    # The specification's OpenAPI has it with the slash, its text without.
    routes.add_api_route("/v2/", server_metadata, include_in_schema=False)

    @routes.get("/v2/health/live", responses=failed)
    async def server_live() -> ServerLive:
        """The server answers."""
        return ServerLive(live=True)

    @routes.get(
        "/v2/health/ready",
        response_model=ServerReady,
        responses={**failed, 503: {"model": ServerReady, "description": "not ready"}},
    )
    async def server_ready() -> Response:
        """The server takes inference requests: also while the model is unloaded."""
        is_ready = not service.status.unready()
        return JSONResponse({"live": True, "ready": is_ready}, 200 if is_ready else 503)

    @routes.get(_MODEL, responses=found)
    async def model_metadata(name: str) -> ModelMetadata:
        """What the model takes and gives. `probabilities` has the columns negative, positive."""
        return model.metadata(name, None)

    @routes.get(_VERSION, responses=found)
    async def model_version_metadata(name: str, version: str) -> ModelMetadata:
        """The same of a version."""
        return model.metadata(name, version)

    @routes.get(f"{_MODEL}/ready", response_model=ModelReady, responses=ready)
    async def model_ready(name: str) -> Response:
        """The model takes requests: also while it is unloaded."""
        return model.ready(name, None)

    @routes.get(f"{_VERSION}/ready", response_model=ModelReady, responses=ready)
    async def model_version_ready(name: str, version: str) -> Response:
        """The same of a version."""
        return model.ready(name, version)

    @routes.post(f"{_MODEL}/infer", responses=inferred, response_model_exclude_none=True)
    async def infer(body: InferRequest, request: Request, name: str) -> InferResponse:
        """Analyse the texts of the input `text`. One text that cannot be taken fails the whole request."""
        return await model.infer(body, request, name, None)

    @routes.post(f"{_VERSION}/infer", responses=inferred, response_model_exclude_none=True)
    async def infer_version(body: InferRequest, request: Request, name: str, version: str) -> InferResponse:
        """The same with a version."""
        return await model.infer(body, request, name, version)

    return routes


def _bad(message: str) -> ApiError:
    return ApiError(400, "invalid_request", message)
