"""Health, probes, metrics, and the two pages. None of these count as API requests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from sentiment_service import __version__
from sentiment_service.api.schemas import Health
from sentiment_service.app import Service

_WEB = Path(__file__).parent.parent / "web"
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def unready(service: Service) -> str:
    """Why requests are not welcome; empty when they are: also while the model is unloaded."""
    if service.draining:
        return "draining"
    if not service.status.able:
        return service.status.reason
    return "" if service.status.warm else "warming up"


def router(service: Service) -> APIRouter:
    routes = APIRouter()

    @routes.get("/health", response_model=Health, responses={503: {"model": Health}}, tags=["health"])
    async def health() -> Response:
        """The article's health report; 503 when draining or when the last load failed."""
        now, figures = service.status, await service.scheduler.report()
        status = "draining" if now.draining else "healthy" if now.able else "unhealthy"
        report = Health(
            status=status,
            timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=__version__,
            model_loaded=now.loaded,
            memory_usage_mb=round(figures.memory_bytes / (1 << 20), 1),
            total_requests=figures.total_requests,
            avg_response_time_ms=round(figures.average_ms, 1),
        )
        return JSONResponse(report.model_dump(), status_code=200 if status == "healthy" else 503)

    @routes.get("/livez", tags=["health"], response_class=PlainTextResponse)
    async def livez() -> str:
        """The process answers."""
        return "ok"

    @routes.get("/readyz", tags=["health"], response_class=PlainTextResponse)
    async def readyz() -> PlainTextResponse:
        """Requests are welcome: also while the model is unloaded, not after a failed load."""
        reason = unready(service)
        return PlainTextResponse(reason, 503) if reason else PlainTextResponse("ok")

    @routes.get("/startupz", tags=["health"], response_class=PlainTextResponse)
    async def startupz() -> PlainTextResponse:
        """Start-up is over: at once, or with WARM_UP when the first load has ended, well or not."""
        return PlainTextResponse("ok") if service.status.warm else PlainTextResponse("warming up", 503)

    @routes.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Prometheus text format."""
        return Response(await service.scheduler.render_metrics(), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/", include_in_schema=False)
    async def index() -> Response:
        return _page("index.html")

    @routes.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return _page("docs.html")

    return routes


def _page(name: str) -> Response:
    return HTMLResponse((_WEB / name).read_bytes(), headers=_PAGE_HEADERS)
