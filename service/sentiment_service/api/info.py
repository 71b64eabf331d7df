"""What serves here: the model as its package describes it, the limits, and since when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel

from sentiment_service import __version__
from sentiment_service.api.schemas import error_responses
from sentiment_service.engine.files import engine_of
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


class Limits(BaseModel):
    max_text_length: int
    max_batch_items: int
    max_body_bytes: int


class Info(BaseModel):
    version: str
    started_at: str
    model: ModelInfo | None = None
    problem: str | None = None
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

    @routes.get(INFO, responses=error_responses(401, 500))
    def info() -> Info:
        """The model's package, read anew; `problem` says why when it cannot be read."""
        model = problem = None
        try:
            package = ModelPackage.read(settings.package_dir.resolve())
            model = ModelInfo(
                engine=engine_of(settings.engine, package.directory),
                **package.manifest.model_dump(include=set(ModelInfo.model_fields)),
            )
        except ModelLoadError as error:
            problem = str(error)
        return Info(version=__version__, started_at=started_at, model=model, problem=problem, limits=limits)

    return routes
