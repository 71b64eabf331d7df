"""/livez, /readyz and /metrics of the operator."""

import time
from collections import Counter
from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .runtime import Runtime


class HealthServer:
    """Plain HTTP for the kubelet and Prometheus."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._metrics = RuntimeMetrics(runtime)
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
        return _answer(self._runtime.troubles())

    async def _ready(self, _: web.Request) -> web.Response:
        return _answer([] if self._runtime.synced else ["the caches are not filled yet"])


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _answer(troubles: list[str]) -> web.Response:
    if troubles:
        return web.Response(status=503, text="".join(f"{trouble}\n" for trouble in troubles))
    return web.Response(text="ok\n")


class RuntimeMetrics(Collector):
    """What is true when Prometheus asks: no state to keep right."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Leader, queue, watches, objects by condition."""
        runtime = self._runtime
        leader = GaugeMetricFamily("sentiment_operator_leader", "1 where this process holds the Lease")
        leader.add_metric([], int(runtime.election.leading))
        yield leader
        depth = GaugeMetricFamily("sentiment_operator_queue_depth", "Keys that are due and wait for a pass")
        depth.add_metric([], runtime.queue.depth())
        yield depth
        age = GaugeMetricFamily(
            "sentiment_operator_watch_age_seconds",
            "Time since the API server last said anything on a watch (a bookmark comes about every minute)",
            labels=["kind", "namespace"],
        )
        for (kind, namespace), reflector in runtime.reflectors.items():
            age.add_metric([kind, namespace or ""], time.monotonic() - reflector.heard_at)
        yield age
        objects = GaugeMetricFamily(
            "sentiment_operator_objects",
            "Services and models by condition",
            labels=["kind", "condition", "status"],
        )
        counts = Counter(
            (owner["kind"], condition["type"], condition["status"])
            for owner in runtime.store.owners()
            for condition in owner.get("status", {}).get("conditions", ())
        )
        for labels, count in sorted(counts.items()):
            objects.add_metric(labels, count)
        yield objects
