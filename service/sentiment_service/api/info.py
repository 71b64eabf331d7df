"""What serves here: the model as its package describes it, the limits, and since when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from sentiment_service import __version__
from sentiment_service.api.schemas import error_responses
from sentiment_service.engine.files import engine_of
from sentiment_service.engine.lifecycle import State
from sentiment_service.engine.package import ModelPackage, NeutralBand
from sentiment_service.engine.protocol import ModelLoadError

if TYPE_CHECKING:
    from sentiment_service.app import Service

INFO = "/api/v1/info"


class ModelInfo(BaseModel):
    name: str
    version: str
    digest: str
    engine: str
    precision: str
    max_tokens: int
    neutral: NeutralBand
    accuracy: dict[str, Any]


class Choice(BaseModel):
    """One of the models that a request can choose by its name."""

    name: str
    default: bool
    state: State
    model: ModelInfo | None = None
    problem: str | None = Field(default=None, description="why it cannot answer")


class Limits(BaseModel):
    max_text_length: int
    max_batch_items: int
    max_body_bytes: int


class Info(BaseModel):
    version: str
    started_at: str
    model: ModelInfo | None = None
    problem: str | None = None
    models: list[Choice] = Field(default=[], description="with MODELS: all of them; `model` is the default")
    limits: Limits


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["health"])
    settings = service.settings
    started_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = Limits(
        max_text_length=settings.max_text_length,
        max_batch_items=settings.max_batch_items,
        max_body_bytes=settings.max_body_bytes,
    )

    def about(name: str) -> ModelInfo:
        directory = service.models.directory(name)
        facts = ModelPackage.read(directory).manifest.model_dump(include=set(ModelInfo.model_fields))
        return ModelInfo(engine=engine_of(settings.engine, directory), **facts)

    def choice(name: str) -> Choice:
        status = service.status.models[name]
        model, problem = _or_problem(about, name)
        return Choice(
            name=name,
            default=name == service.models.default,
            state=status.state,
            model=model,
            problem=problem or status.reason or None,
        )

    @routes.get(INFO, responses=error_responses(401, 500))
    def info() -> Info:
        """The models' packages, read anew; `problem` says why one cannot be read."""
        model, problem = _or_problem(about, service.models.default)
        choices = [choice(name) for name in service.models.names if name]
        return Info(
            version=__version__,
            started_at=started_at,
            model=model,
            problem=problem,
            models=choices,
            limits=limits,
        )

    return routes


def _or_problem(about: Callable[[str], ModelInfo], name: str) -> tuple[ModelInfo | None, str | None]:
    try:
        return about(name), None
    except ModelLoadError as error:
        return None, str(error)
