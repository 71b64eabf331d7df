"""/livez, /readyz and /metrics of a runtime, and the dashboard that shows the metrics."""

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable

import aiohttp
from prometheus_client import REGISTRY
from sentiment_operator.cluster.connection import Connection
from sentiment_operator.cluster.reflector import SILENCE_SECONDS
from sentiment_operator.health import HealthServer
from sentiment_operator.runtime import Options, Runtime

from .conftest import ROOT
from .objects import service

DASHBOARD = ROOT / "charts/sentiment-operator/files/dashboard.json"


def with_runtime(check: Callable[[Runtime], Awaitable[None]]) -> None:
    """A runtime whose API server never answers."""

    async def main() -> None:
        nowhere = Connection("https://127.0.0.1:1", ssl.create_default_context(), "ns")
        runtime = Runtime(nowhere, Options("service:1", "models:1", "me", "ns"))
        runtime.start()
        try:
            await check(runtime)
        finally:
            await runtime.abort()

    asyncio.run(main())


def test_an_api_server_that_is_away_is_no_reason_to_restart() -> None:
    async def check(runtime: Runtime) -> None:
        await asyncio.sleep(0.1)
        assert runtime.troubles() == []
        assert not runtime.synced

    with_runtime(check)


def test_what_no_longer_moves_is_told() -> None:
    async def check(runtime: Runtime) -> None:
        await asyncio.sleep(0)
        long_ago = time.monotonic() - SILENCE_SECONDS - 100
        runtime.reflectors["Pod", None].moved_at = long_ago
        runtime.queue.beat_at = long_ago
        runtime.election.moved_at = long_ago
        assert runtime.troubles() == [
            "the queue is stuck",
            "the election is stuck",
            "the watch of Pod is stuck",
        ]

    with_runtime(check)


def test_a_watch_that_ended_is_told() -> None:
    async def check(runtime: Runtime) -> None:
        await asyncio.sleep(0)
        [task] = runtime._watching["Service"]
        task.cancel()
        await asyncio.wait([task])
        assert runtime.troubles() == ["the watch of Service ended"]

    with_runtime(check)


def test_the_pages_say_so() -> None:
    async def check(runtime: Runtime) -> None:
        health = HealthServer(runtime)
        await health.start(0)
        assert health._runner
        port = next(address[1] for address in health._runner.addresses if len(address) == 2)  # IPv4's
        runtime.seen({**service(), "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
                assert (await client.get("/livez")).status == 200
                assert (await client.get("/readyz")).status == 503
                runtime.queue.beat_at = time.monotonic() - 1000
                stuck = await client.get("/livez")
                assert (stuck.status, await stuck.text()) == (503, "the queue is stuck\n")
                metrics = await (await client.get("/metrics")).text()
        finally:
            await health.stop()
        told = 'sentiment_operator_objects{condition="Ready",kind="SentimentService",status="True"} 1.0'
        assert told in metrics
        assert "sentiment_operator_leader 0.0" in metrics
        assert 'sentiment_operator_watch_age_seconds{kind="Pod",namespace=""}' in metrics

    with_runtime(check)


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    async def check(runtime: Runtime) -> None:
        health = HealthServer(runtime)
        REGISTRY.register(health._metrics)
        try:
            known = {sample.name for family in REGISTRY.collect() for sample in family.samples}
            known |= {family.name for family in REGISTRY.collect()}
        finally:
            REGISTRY.unregister(health._metrics)
        shown = re.findall(r"\b(?:sentiment_operator|process)_\w+", DASHBOARD.read_text())
        labelled = {
            name.removesuffix("_total").removesuffix("_bucket").removesuffix("_count") for name in shown
        }
        assert labelled - known == set()

    with_runtime(check)
