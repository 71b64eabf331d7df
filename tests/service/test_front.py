"""What happens before the app is imported."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from fastapi import FastAPI
from sentiment_service.front import Front


def test_who_posts_before_the_app_is_there_has_the_engine_started_once() -> None:
    imported = threading.Event()
    early: list[str] = []
    statuses: list[int] = []

    def make() -> FastAPI:
        assert imported.wait(30)
        return FastAPI()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    def scope(method: str, path: str) -> dict[str, Any]:
        raw = path.encode()
        return {"type": "http", "method": method, "path": path, "raw_path": raw, "headers": [],
                "query_string": b"", "root_path": ""}  # fmt: skip

    async def scenario() -> None:
        asked = asyncio.Event()

        def on_early() -> None:
            early.append("engine")
            asked.set()

        front = Front(make, lambda error: early.append(repr(error)), on_early)
        events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        events.put_nowait({"type": "lifespan.startup"})
        life = asyncio.create_task(front({"type": "lifespan"}, events.get, send))
        await front(scope("GET", "/livez"), receive, send)
        assert early == []
        posts = [asyncio.create_task(front(scope("POST", "/x"), receive, send)) for _ in range(3)]
        await asked.wait()
        imported.set()
        await asyncio.gather(*posts)
        await front(scope("POST", "/x"), receive, send)
        events.put_nowait({"type": "lifespan.shutdown"})
        await life

    asyncio.run(scenario())
    assert early == ["engine"]
    assert statuses == [200, 404, 404, 404, 404]
