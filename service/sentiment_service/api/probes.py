"""Health, probes, metrics. None of these count as API requests."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sentiment_service import __version__
from sentiment_service.api.schemas import Health
from sentiment_service.app import Service


def router(service: Service) -> APIRouter:
    routes = APIRouter()

    @routes.get("/health", response_model=Health, responses={503: {"model": Health}}, tags=["health"])
    async def health() -> Response:
        """The article's health report; 503 when draining or when the last load failed."""
        now, figures = service.status, await service.scheduler.report()
        report = Health(
            status=now.health,
            timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=__version__,
            model_loaded=now.default.loaded,
            memory_usage_mb=round(figures.memory_bytes / (1 << 20), 1),
            total_requests=figures.total_requests,
            avg_response_time_ms=round(figures.average_ms, 1),
        )
        return JSONResponse(report.model_dump(), status_code=200 if now.health == "healthy" else 503)

    @routes.get("/livez", tags=["health"], response_class=PlainTextResponse)
    async def livez() -> str:
        """The process answers."""
        return "ok"

    @routes.get("/readyz", tags=["health"], response_class=PlainTextResponse)
    async def readyz() -> PlainTextResponse:
        """Requests are welcome: also while the model is unloaded, not after a failed load."""
        reason = service.status.unready()
        return PlainTextResponse(reason, 503) if reason else PlainTextResponse("ok")

    @routes.get("/startupz", tags=["health"], response_class=PlainTextResponse)
    async def startupz() -> PlainTextResponse:
        """Start-up is over: at once, or with WARM_UP when the first load has ended, well or not."""
        return (
            PlainTextResponse("ok") if service.status.default.warm else PlainTextResponse("warming up", 503)
        )

    @routes.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Prometheus text format; OpenMetrics, with exemplars, for those who accept it: Prometheus does."""
        exemplars = OPENMETRICS.partition(";")[0] in request.headers.get("accept", "")
        text = await service.scheduler.render_metrics(exemplars=exemplars)
        return Response(text, media_type=OPENMETRICS if exemplars else CONTENT_TYPE_LATEST)

    return routes
