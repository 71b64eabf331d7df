"""/livez, /readyz and /metrics of the operator."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from .runtime import ConditionMetrics, Runtime


class HealthServer:
    """Plain HTTP for the kubelet and Prometheus."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._metrics = ConditionMetrics(runtime.store)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Listen on all addresses."""
        REGISTRY.register(self._metrics)
        app = web.Application()
        app.add_routes(
            [web.get("/livez", self._live), web.get("/readyz", self._ready), web.get("/metrics", _metrics)]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, port=port).start()

    async def stop(self) -> None:
        """Close the port."""
        REGISTRY.unregister(self._metrics)
        if self._runner:
            await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return _answer(self._runtime.alive(), "the queue is stuck")

    async def _ready(self, _: web.Request) -> web.Response:
        return _answer(self._runtime.synced, "the API server was not heard yet")


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _answer(good: bool, why: str) -> web.Response:
    return web.Response(text="ok\n") if good else web.Response(status=503, text=f"{why}\n")
