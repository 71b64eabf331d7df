"""Around every request: its id, the body limit, the deadline, hang-ups, metrics, the last resort.

A plain ASGI middleware. Requests to the API are read whole, within the limit, before the app sees them;
from then on the connection is watched, and a caller who hangs up cancels the work.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentiment_service.api.errors import ApiError, error_body, from_exception, log_api_error

if TYPE_CHECKING:
    from sentiment_service.app import Service

API_PREFIX = "/api/"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


class _HungUpError(Exception):
    """The caller closed the connection."""


def request_id_of(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"


class Guard:
    def __init__(self, app: ASGIApp, service: Service, endpoints: frozenset[str]) -> None:
        self._app = app
        self._service = service
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(request_id_of(Headers(scope=scope)), send, self._service)
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        if not scope["path"].startswith(API_PREFIX):
            await self._answer(exchange, scope, receive)
            return
        metrics = self._service.metrics
        # Unknown paths share one label, so that callers cannot grow the metrics without end.
        endpoint = scope["path"] if scope["path"] in self._endpoints else "other"
        metrics.request_began()
        begin = time.perf_counter()
        try:
            await self._answer_within_limits(exchange, scope, receive)
        finally:
            metrics.request_ended(endpoint, exchange.status, time.perf_counter() - begin)

    async def _answer(self, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        try:
            await self._app(scope, receive, exchange.send)
        except Exception as cause:  # the last resort: nothing may leave without the envelope
            await exchange.fail(from_exception(cause), scope["path"], cause)

    async def _answer_within_limits(self, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        limit = self._service.settings.request_timeout_seconds
        reading = True
        try:
            async with asyncio.timeout(limit):
                body = await _read_body(receive, Headers(scope=scope), self._service.settings.max_body_bytes)
                reading = False
                await self._run_watched(exchange, scope, receive, body)
        except TimeoutError as cause:
            error = (
                ApiError(408, "request_timeout", f"the body did not arrive within {limit:g} s")
                if reading
                else ApiError(504, "deadline_exceeded", f"no answer within {limit:g} s")
            )
            await exchange.fail(error, scope["path"], cause, close=reading)
        except ApiError as cause:
            await exchange.fail(cause, scope["path"], cause, close=True)
        except _HungUpError:
            exchange.status = 499

    async def _run_watched(self, exchange: _Exchange, scope: Scope, receive: Receive, body: bytes) -> None:
        """Run the app until it answers or the caller hangs up, whichever is first."""
        given = False

        async def replay() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError("never reached")

        answer = asyncio.create_task(self._answer(exchange, scope, replay))
        watch = asyncio.create_task(_hang_up(receive))
        try:
            await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise _HungUpError
            await answer
        finally:
            for task in (answer, watch):
                task.cancel()
            await asyncio.gather(answer, watch, return_exceptions=True)


class _Exchange:
    """The answering side of one request."""

    def __init__(self, request_id: str, send: Send, service: Service) -> None:
        self.request_id = request_id
        self.status = 0
        self._send = send
        self._service = service

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            if self._service.draining:
                headers["Connection"] = "close"
        await self._send(message)

    async def fail(self, error: ApiError, path: str, cause: Exception, *, close: bool = False) -> None:
        """Send the envelope; `close` when the rest of the body was not read."""
        log_api_error(error, self.request_id, {"endpoint": path[:200]}, cause)
        if self.status:
            return
        body = error_body(error.code, error.message, self.request_id)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **error.headers}
        if close:
            headers["Connection"] = "close"
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": error.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})


async def _read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """The whole body; refused as soon as it is known to be too large, told by its header or by its bytes."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise _too_large(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _HungUpError
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "payload_too_large", f"the body is larger than {limit} bytes")


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
