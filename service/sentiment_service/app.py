"""Wires settings, scheduler and routes into one ASGI app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from sentiment_service import tracing
from sentiment_service.engine.catalogue import Catalogue
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
        self.models = Catalogue(settings.packages)
        self.runtime = Runtime(scheduler, {self.models.default: model} if model else None)

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
    """The app. Without a `scheduler` it has its own, which lives as long as the app does. `model`: the
    default one's tokeniser, when it was read before."""
    from sentiment_service.api import errors, inference, info, openapi, pages, probes, routes, stream
    from sentiment_service.api.guard import Guard
    from sentiment_service.api.keys import KeyRing

    tracer = tracing.from_environment()
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
        if tracer is not None:
            await asyncio.to_thread(tracer.stop)

    app = FastAPI(
        **openapi.ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    errors.install(app)
    for part in (routes, stream, inference, info, probes, pages):
        app.include_router(part.router(service))
    openapi.install(app)
    keys = KeyRing(settings.api_keys_file) if settings.api_keys_file else None
    streams = frozenset({stream.ANALYZE_STREAM})
    app.add_middleware(Guard, service=service, endpoints=routes.ENDPOINTS, streams=streams, keys=keys)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **openapi.CORS)
    if tracer is not None:
        from sentiment_service.api.traced import Traced

        app.add_middleware(Traced, tracer=tracer, endpoints=routes.ENDPOINTS, root=settings.root_path)
    return app
