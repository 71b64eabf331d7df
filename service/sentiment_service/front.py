"""The ASGI app in front: answers probes at once, while the real app is still being imported."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# What the probes are told until the app is there: it lives, and it is not ready.
_EARLY = {"/livez": (200, b"ok"), "/readyz": (503, b"starting"), "/startupz": (503, b"starting")}


class Front:
    """`make` builds the app, in a thread; `on_failure` is called when it cannot. `on_early` is called once
    when somebody posts before the app is there: the model will be wanted."""

    def __init__(
        self,
        make: Callable[[], FastAPI],
        on_failure: Callable[[BaseException], None],
        on_early: Callable[[], None] = lambda: None,
    ) -> None:
        self._make = make
        self._on_failure = on_failure
        self._on_early: Callable[[], None] | None = on_early
        self._app: FastAPI | None = None
        self._made = asyncio.Event()

    @property
    def made(self) -> bool:
        """The app is there, and its start is over."""
        return self._made.is_set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self._app is None and scope["path"] in _EARLY:
            await _answer(send, *_EARLY[scope["path"]])
            return
        if self._app is None and scope["method"] == "POST" and self._on_early is not None:
            on_early, self._on_early = self._on_early, None
            on_early()
        await self._made.wait()
        assert self._app is not None
        await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            making = asyncio.create_task(self._enter(stack), name="import-app")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await making
        await send({"type": "lifespan.shutdown.complete"})

    async def _enter(self, stack: AsyncExitStack) -> None:
        try:
            app = await asyncio.to_thread(self._make)
            await stack.enter_async_context(app.router.lifespan_context(app))
        except Exception as error:
            self._on_failure(error)
            return
        self._app = app
        self._made.set()


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
