"""Around every request: its id, its key, the body limit, the deadline, hang-ups, metrics, the last resort.

A plain ASGI middleware. A body is read whole, within the limits, before the app sees it; from then on the
connection is watched, and a caller who hangs up cancels the work.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from enum import Enum
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentiment_service.api.budget import BodyBudget, Holder
from sentiment_service.api.errors import ApiError, from_exception, is_inference, log_api_error, respond
from sentiment_service.metrics import exemplar_of

if TYPE_CHECKING:
    from sentiment_service.api.keys import KeyRing
    from sentiment_service.app import Service

API_PREFIX = "/api/"
_INFER = re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?/infer")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
# Bodies held at the same time, in bodies of the largest size.
_BODIES = 8
_CHUNK = 64 << 10
# How long the rest of a refused body is thrown away for, so that the caller gets to read why.
_LINGER_SECONDS = 2.0


class _End(Enum):
    """Why a request ended before its answer did."""

    DEADLINE = 0
    HUNG_UP = 1
    EVICTED = 2


def request_id_of(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"


def route_path(path: str, root: str) -> str:
    """The path without ROOT_PATH, which a proxy may have stripped or not."""
    return path[len(root) :] if root and path.startswith(root + "/") else path


def needs_key(path: str) -> bool:
    """Probes, metrics and pages stay open: they tell nothing of anybody's texts."""
    return path.startswith(API_PREFIX) or (is_inference(path) and not path.startswith("/v2/health/"))


def endpoint_label(path: str, endpoints: frozenset[str]) -> str | None:
    """The endpoint in metrics and traces; None for what is no API request. Unknown paths share one label, so
    that callers cannot grow the metrics without end."""
    if path in endpoints:
        return path
    if path.startswith(API_PREFIX):
        return "other"
    return "/v2/models/{name}/infer" if _INFER.fullmatch(path) else None


class Guard:
    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        *,
        endpoints: frozenset[str],
        streams: frozenset[str],
        keys: KeyRing | None,
    ) -> None:
        self._app = app
        self._service = service
        self._endpoints = endpoints | streams
        self._streams = streams
        self._keys = keys
        self._budget = BodyBudget(_BODIES * service.settings.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        root = self._service.settings.root_path
        if root and scope["path"] == root:  # people leave the last slash out
            scope = {**scope, "path": f"{root}/"}
        path = route_path(scope["path"], root)
        headers = Headers(scope=scope)
        given = scope.get("state", {})
        request_id = given.get("request_id") or request_id_of(headers)
        exchange = _Exchange(request_id, path, send, self._service, self._budget)
        state = {**given, "request_id": request_id, "path": path}
        # HEAD is GET without the body, which the server leaves out.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        scope = {**scope, "state": state, "method": method, "root_path": root}
        try:
            endpoint = endpoint_label(path, self._endpoints)
            if endpoint is None:
                await self._admit(exchange, scope, headers, receive)
                return
            metrics = self._service.metrics
            metrics.request_began()
            begin = time.perf_counter()
            try:
                await self._admit(exchange, scope, headers, receive)
            finally:
                seconds = None if path in self._streams else time.perf_counter() - begin
                exemplar = exemplar_of(request_id, state.get("trace_id", ""))
                # The route says which model it is, as soon as it knows.
                metrics.request_ended(endpoint, exchange.status, seconds, state.get("model", ""), exemplar)
        finally:
            self._budget.release(exchange)

    async def _admit(self, exchange: _Exchange, scope: Scope, headers: Headers, receive: Receive) -> None:
        if self._keys is not None and needs_key(exchange.path):
            name = self._keys.name_of(headers)
            if name is None:
                await exchange.refuse(_unauthorised(), receive)
                return
            scope["state"]["api_key"] = name
        # A stream reads its body bit by bit, and watches the connection and the clock by itself.
        if scope["method"] == "GET" or exchange.path in self._streams:
            await self._answer(exchange, scope, receive)
        else:
            await self._answer_within_limits(exchange, scope, headers, receive)

    async def _answer(self, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        try:
            await self._app(scope, receive, exchange.send)
        except Exception as cause:  # the last resort: nothing may leave without the envelope
            await exchange.fail(from_exception(cause), cause)

    async def _answer_within_limits(
        self, exchange: _Exchange, scope: Scope, headers: Headers, receive: Receive
    ) -> None:
        refusal: ApiError | None = None
        watch: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(exchange.limit) as exchange.deadline:
                body = await self._read_body(exchange, receive, headers)
                watch = asyncio.create_task(_watch(receive, exchange))
                await self._answer(exchange, scope, _replay(body))
        except TimeoutError as cause:
            if exchange.end is _End.HUNG_UP:
                exchange.status = exchange.status or 499
            elif watch is None:
                refusal = exchange.reason(reading=True)
            else:
                await exchange.fail(exchange.reason(reading=False), cause)
        except ApiError as cause:
            refusal = cause.with_traceback(None)
        finally:
            if watch is not None:
                watch.cancel()
        if refusal is not None:
            # Not above: an exception that is being handled keeps its frames, and with them the body.
            await exchange.refuse(refusal, receive)

    async def _read_body(self, exchange: _Exchange, receive: Receive, headers: Headers) -> bytes:
        """The whole body; refused as soon as it is known to be too large, by its header or by its bytes."""
        limit = self._service.settings.max_body_bytes
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise ApiError(
                415,
                "unsupported_encoding",
                "compressed bodies are not taken: send it without Content-Encoding",
                headers={"Accept-Encoding": "identity"},
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            raise _too_large(limit)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                exchange.stop(_End.HUNG_UP)
                await asyncio.Event().wait()  # for the deadline, which is now
            body += message.get("body", b"")
            if len(body) > limit:
                raise _too_large(limit)
            self._budget.charge(exchange, len(body))
            if not message.get("more_body", False):
                exchange.waiting = False
                return bytes(body)


class _Exchange(Holder):
    """The answering side of one request."""

    def __init__(self, request_id: str, path: str, send: Send, service: Service, budget: BodyBudget) -> None:
        self.request_id = request_id
        self.path = path
        self.status = 0
        self.limit = service.settings.request_timeout_seconds
        self.deadline: asyncio.Timeout | None = None
        self.end = _End.DEADLINE
        self._send = send
        self._service = service
        self._budget = budget

    def stop(self, end: _End) -> None:
        if self.deadline is not None and not self.deadline.expired():
            self.end = end
            self.deadline.reschedule(0)

    def evict(self) -> None:
        self.stop(_End.EVICTED)

    def reason(self, *, reading: bool) -> ApiError:
        if self.end is _End.EVICTED:
            return ApiError(
                429,
                "too_many_bodies",
                "too many large bodies are on their way; try again later",
                headers={"Retry-After": "1"},
            )
        if reading:
            return ApiError(408, "request_timeout", f"the body did not arrive within {self.limit:g} s")
        return ApiError(504, "deadline_exceeded", f"no answer within {self.limit:g} s")

    async def send(self, message: Message) -> None:
        """Pass on, in pieces that the caller must take before the next: a large answer that nobody reads
        stays in this one place, where the budget counts it, and is ended when nothing moves."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            if self._service.draining:
                headers["Connection"] = "close"
            await self._send(message)
            return
        body = message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _CHUNK:
            self.waiting = True
            self._budget.charge(self, len(body))
        for start in range(0, max(1, len(body)), _CHUNK):
            if self.deadline is not None and not self.deadline.expired() and self.end is _End.DEADLINE:
                self.deadline.reschedule(asyncio.get_running_loop().time() + self.limit)
            last = start + _CHUNK >= len(body)
            piece = body[start : start + _CHUNK]
            await self._send({"type": "http.response.body", "body": piece, "more_body": more or not last})

    async def fail(self, error: ApiError, cause: Exception) -> None:
        log_api_error(error, self.request_id, {"endpoint": self.path[:200]}, cause)
        if self.status == 0:
            start, body = respond(error, self.path, self.request_id)
            await self.send(start)
            await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, error: ApiError, receive: Receive) -> None:
        """Answer although the body was not read. Closing at once would reset the connection, and a caller
        that is still sending would never see the answer; so what comes is thrown away for a moment."""
        self._budget.release(self)
        log_api_error(error, self.request_id, {"endpoint": self.path[:200]}, error)
        error.headers["Connection"] = "close"
        start, body = respond(error, self.path, self.request_id)
        await self.send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        break
        except TimeoutError:
            pass
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _replay(body: bytes) -> Receive:
    given = False

    async def receive() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError("never reached")

    return receive


async def _watch(receive: Receive, exchange: _Exchange) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    exchange.stop(_End.HUNG_UP)


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413, "payload_too_large", f"the body is larger than {limit} bytes (MAX_BODY_BYTES); send it in parts"
    )


def _unauthorised() -> ApiError:
    return ApiError(
        401,
        "unauthorized",
        "a valid API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY",
        headers={"WWW-Authenticate": 'Bearer realm="sentiment-service"'},
    )
