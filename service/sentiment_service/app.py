"""Wires settings, scheduler and routes into one ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from sentiment_service import __version__
from sentiment_service.engine.runtime import Runtime
from sentiment_service.engine.scheduler import Scheduler, Scheduling, Status
from sentiment_service.metrics import RequestMetrics
from sentiment_service.settings import Settings

if TYPE_CHECKING:
    from sentiment_service.engine.model import Model


class Service:
    """What the routes share."""

    def __init__(self, settings: Settings, scheduler: Scheduling, model: Model | None) -> None:
        self.settings = settings
        self.scheduler = scheduler
        self.runtime = Runtime(scheduler, model)

    @property
    def status(self) -> Status:
        return self.scheduler.status

    @property
    def draining(self) -> bool:
        return self.scheduler.status.draining

    @property
    def metrics(self) -> RequestMetrics:
        return self.scheduler.metrics


def create_app(
    settings: Settings, scheduler: Scheduling | None = None, *, model: Model | None = None
) -> FastAPI:
    """The app. Without a `scheduler` it has its own, which lives as long as the app does."""
    from sentiment_service.api import errors, probes, routes
    from sentiment_service.api.guard import Guard

    own = None if scheduler is not None else Scheduler(settings)
    service = Service(settings, scheduler or own, model)  # type: ignore[arg-type]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if own is not None:
            own.start()
        yield
        if own is not None:
            own.drain()
            await own.stop()

    app = FastAPI(
        title="sentiment-service",
        summary="Chinese sentiment analysis",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    errors.install(app)
    app.include_router(routes.router(service))
    app.include_router(probes.router(service))
    app.add_middleware(Guard, service=service, endpoints=routes.ENDPOINTS)
    return app
