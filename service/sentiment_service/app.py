"""Wires settings, engine, metrics and routes into one ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI

from sentiment_service import __version__
from sentiment_service.cpu import usable_threads
from sentiment_service.engine.lifecycle import State
from sentiment_service.engine.runtime import Runtime, load_model
from sentiment_service.logs import log_error, log_event
from sentiment_service.metrics import Metrics
from sentiment_service.settings import Settings

if TYPE_CHECKING:
    from sentiment_service.engine.model import LoadedModel


class Service:
    """What the routes share."""

    def __init__(self, settings: Settings, loader: Callable[[], LoadedModel]) -> None:
        self.settings = settings
        self.draining = False
        self.metrics = Metrics(lambda: len(self.runtime.batcher))
        self.runtime = Runtime(
            loader,
            queue_limit=settings.queue_limit,
            max_batch_tokens=settings.max_batch_tokens,
            idle_seconds=settings.idle_unload_seconds,
            on_change=self._model_changed,
            on_batch=self.metrics.observe_batch,
        )

    def _model_changed(self, state: State, reason: str) -> None:
        self.metrics.model_loaded.set(state is State.LOADED)
        if state is State.FAILED:
            log_error("", "model_unavailable", reason, {"model": str(self.settings.package_dir)})
        else:
            log_event(f"model {state}", model=str(self.settings.package_dir))


def create_app(settings: Settings, loader: Callable[[], LoadedModel] | None = None) -> FastAPI:
    """The app; its `state.service` is what the server drains. `loader` replaces the model's in tests."""
    from sentiment_service.api import errors, probes, routes
    from sentiment_service.api.guard import Guard

    threads = settings.inference_threads or usable_threads()
    service = Service(settings, loader or partial(load_model, settings.package_dir, threads))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.runtime.start(warm_up=settings.warm_up)
        yield
        service.draining = True
        await service.runtime.stop()

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
