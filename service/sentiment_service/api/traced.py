"""The outermost middleware, when tracing is on: a span around every API request, refused ones too."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentiment_service.api.guard import endpoint_label, request_id_of, route_path
from sentiment_service.tracing import Tracer


class Traced:
    def __init__(self, app: ASGIApp, tracer: Tracer, endpoints: frozenset[str], root: str) -> None:
        self._app = app
        self._tracer = tracer
        self._endpoints = endpoints
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        label = None
        if scope["type"] == "http":
            label = endpoint_label(route_path(scope["path"], self._root), self._endpoints)
        if label is None:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = request_id_of(headers)
        with self._tracer.request(f"{scope['method']} {label}", dict(headers), request_id) as span:
            # The guard takes these, so that both tell of the same.
            told = {"request_id": request_id, "trace_id": span.trace_id}
            scope = {**scope, "state": {**scope.get("state", {}), **told}}

            async def tell(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.answered(message["status"])
                await send(message)

            await self._app(scope, receive, tell)
