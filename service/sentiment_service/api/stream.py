"""Many texts without end: lines of JSON in, lines of JSON out, in order, in bounded memory.

Nothing is held but a few windows of rows: the next one is read only when an earlier one was answered and
sent, so a slow engine slows the sender down, and a slow reader slows the engine down.

Whoever says how long the body is (a file) seldom reads before all of it is sent, and nginx sends nothing more
of a request that it could not get rid of once the answer has begun. Such a body is collected first, where
there is room for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sentiment_service.api.errors import ApiError, from_exception, log_api_error
from sentiment_service.api.routes import problem_of
from sentiment_service.api.schemas import MODEL, Problem, error_responses
from sentiment_service.engine.batcher import ClosedError, QueueFullError
from sentiment_service.engine.decide import Prediction
from sentiment_service.engine.tokenise import has_lone_surrogate
from sentiment_service.logs import log_request

if TYPE_CHECKING:
    from sentiment_service.app import Service

ANALYZE_STREAM = "/api/v1/sentiment/analyze/stream"
MEDIA_TYPE = "application/x-ndjson"
_WINDOW = 64  # rows that are given to the engine together
_AHEAD = 2  # windows that wait for the engine while an earlier one is sent
_COLLECTED = 4  # bodies of the largest size that one process holds of all streams
_ROW_SCHEMA = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}, "id": {"type": ["string", "integer"]}},
}


class Row(NamedTuple):
    """One line of the body: its id (the line's number when it names none), and its text or what is wrong."""

    id: str | int
    text: str
    problem: Problem | None = None


class _HungUpError(Exception):
    """The caller closed the connection."""


class _Room:
    """Bytes that collected bodies may take together."""

    def __init__(self, left: int) -> None:
        self._left = left

    @contextmanager
    def reserved(self, size: int) -> Iterator[bool]:
        """Whether there is room for `size` bytes; it is kept until the end."""
        size = size if size <= self._left else 0
        self._left -= size
        try:
            yield size > 0
        finally:
            self._left += size


def parse_row(line: bytes, number: int, max_length: int) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return Row(number, "", Problem(code="invalid_json", message=f"line {number} is not valid JSON"))
    identity = value.get("id", number) if isinstance(value, dict) else number
    if isinstance(identity, bool) or not isinstance(identity, str | int):
        problem = Problem(code="invalid_request", message="id: must be a string or an integer")
        return Row(number, "", problem)
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        problem = Problem(code="invalid_request", message='the line must be an object with a string "text"')
        return Row(identity, "", problem)
    if has_lone_surrogate(text):
        problem = Problem(code="invalid_request", message="text: holds a lone surrogate, which is no Unicode")
        return Row(identity, "", problem)
    return Row(identity, text, problem_of(text, max_length))


def answer_line(row: Row, prediction: Prediction | None) -> bytes:
    if prediction is None:
        assert row.problem is not None
        answer: dict[str, Any] = {"id": row.id, "error": row.problem.model_dump()}
    else:
        positive = round(prediction.positive, 4)
        answer = {
            "id": row.id,
            "sentiment": prediction.sentiment.chinese,
            "english_label": prediction.sentiment.english,
            "confidence": round(prediction.confidence, 4),
            "probabilities": {"positive": positive, "negative": round(1 - positive, 4)},
            "truncated": prediction.truncated,
        }
    # An id may hold a lone surrogate; it goes back as the JSON escape that it came as.
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


async def read_windows(receive: Receive, *, max_length: int, max_line: int) -> AsyncIterator[list[Row]]:
    """Rows as they arrive, at most a window at a time; a line that is too long fails alone."""
    buffer = bytearray()
    number = 0
    skipping, more = False, True
    while more:
        message = await receive()
        buffer += message.get("body", b"")
        more = message.get("more_body", False)
        lines = bytes(buffer).split(b"\n")
        buffer = bytearray(lines.pop() if more else b"")
        rows = []
        for line in lines:
            number += 1
            if skipping:  # the end of a line whose beginning was refused
                skipping = False
            elif len(line) > max_line:
                rows.append(_too_long(number, max_line))
            elif line.strip():
                rows.append(parse_row(line, number, max_length))
            if len(rows) == _WINDOW:
                yield rows
                rows = []
        if len(buffer) > max_line:
            if not skipping:
                rows.append(_too_long(number + 1, max_line))
            skipping = True
        if skipping:
            buffer.clear()
        if rows:
            yield rows


def _too_long(number: int, limit: int) -> Row:
    problem = Problem(code="line_too_long", message=f"line {number} has more than {limit} bytes")
    return Row(number, "", problem)


class _Answer(Response):
    """Reads the request while it answers, which no ready-made streaming response does."""

    media_type = MEDIA_TYPE

    def __init__(self, service: Service, room: _Room, model: str, request_id: str) -> None:
        self._service = service
        self._room = room
        self._model = model
        self._request_id = request_id
        self._counts: Counter[str] = Counter()
        self._first = ""
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._room.reserved(_told_length(scope, self._service.settings.max_body_bytes)) as fits:
            try:
                if fits:
                    receive = await self._collected(receive)
            except _HungUpError:
                return
            await self._stream(scope, receive, send)

    async def _collected(self, receive: Receive) -> Receive:
        """What is received from now on, once the whole body is there."""
        messages = deque([await self._patient(receive())])
        while messages[-1].get("more_body", False):
            messages.append(await self._patient(receive()))
        if messages[-1]["type"] == "http.disconnect":
            raise _HungUpError

        async def again() -> Message:
            return messages.popleft() if messages else await receive()

        return again

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        begin = time.perf_counter()
        inbox: asyncio.Queue[Message] = asyncio.Queue(1)
        windows: asyncio.Queue[asyncio.Task[list[bytes]] | None] = asyncio.Queue(_AHEAD)
        tasks = [
            asyncio.create_task(_watch(receive, inbox)),
            asyncio.create_task(self._read(inbox, windows)),
        ]
        started = False
        try:
            while (lines := await _next(windows, tasks)) is not None:
                if not started:
                    await send({**_START})
                    started = True
                await self._send(send, b"".join(lines))
            if not started:
                await send({**_START})
            rows = self._counts.total()
            summary = {"summary": {"rows": rows, "errors": self._counts["error"]}}
            await self._send(send, json.dumps(summary).encode() + b"\n", last=True)
        except _HungUpError:
            return
        except Exception as cause:
            if not started:
                raise  # an ordinary error response tells it better
            error = from_exception(cause)
            log_api_error(error, self._request_id, {"endpoint": scope["path"]}, cause)
            body = {"error": {"code": error.code, "message": error.message}, "request_id": self._request_id}
            await send({"type": "http.response.body", "body": json.dumps(body).encode() + b"\n"})
        finally:
            left = [windows.get_nowait() for _ in range(windows.qsize())]
            ending = [*tasks, *(window for window in left if window is not None)]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            self._log(time.perf_counter() - begin)

    async def _read(
        self, inbox: asyncio.Queue[Message], windows: asyncio.Queue[asyncio.Task[list[bytes]] | None]
    ) -> None:
        settings = self._service.settings

        async def patient() -> Message:
            return await self._patient(inbox.get())

        try:
            async for rows in read_windows(
                patient, max_length=settings.max_text_length, max_line=settings.max_body_bytes
            ):
                if self._service.draining:
                    raise ClosedError
                await windows.put(asyncio.create_task(self._answer(rows)))
        except Exception as error:  # told when the answers before it are sent
            await windows.put(asyncio.create_task(_fail(error)))
        else:
            await windows.put(None)

    async def _patient(self, message: Awaitable[Message]) -> Message:
        limit = self._service.settings.request_timeout_seconds
        try:
            async with asyncio.timeout(limit):
                return await message
        except TimeoutError:
            raise ApiError(408, "request_timeout", f"nothing arrived for {limit:g} s") from None

    async def _answer(self, rows: list[Row]) -> list[bytes]:
        good = [row.text for row in rows if row.problem is None]
        predictions = iter(await self._analyze(good) if good else [])
        lines = []
        for row in rows:
            prediction = None if row.problem is not None else next(predictions)
            self._counts["error" if prediction is None else prediction.sentiment.chinese] += 1
            lines.append(answer_line(row, prediction))
        self._first = self._first or next(iter(good), "")
        return lines

    async def _analyze(self, texts: list[str]) -> list[Prediction]:
        """Behind everything interactive; a full queue is waited for, up to the deadline of a request."""
        deadline = time.monotonic() + self._service.settings.request_timeout_seconds
        while True:
            try:
                return await self._service.runtime.analyze(texts, model=self._model, bulk=True)
            except QueueFullError as error:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(min(error.retry_after, 1))

    async def _send(self, send: Send, body: bytes, *, last: bool = False) -> None:
        limit = self._service.settings.request_timeout_seconds
        try:
            async with asyncio.timeout(limit):
                await send({"type": "http.response.body", "body": body, "more_body": not last})
        except TimeoutError:
            raise ApiError(408, "request_timeout", f"no answer was read for {limit:g} s") from None

    def _log(self, seconds: float) -> None:
        log_request(
            self._request_id,
            self._first,
            sentiment=None,
            confidence=None,
            latency_ms=seconds * 1000,
            preview_chars=self._service.settings.log_preview_chars,
            items=self._counts.total(),
            sentiments=self._counts,
        )


def _told_length(scope: Scope, most: int) -> int:
    """The bytes of a body whose length is said, 0 where it isn't, or is more than `most`."""
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 and int(length) <= most else 0


async def _watch(receive: Receive, inbox: asyncio.Queue[Message]) -> None:
    """Fetches the next piece of the body while others wait, so that a hang-up is seen at once."""
    while (message := await receive())["type"] != "http.disconnect":
        await inbox.put(message)
    raise _HungUpError


async def _next(
    windows: asyncio.Queue[asyncio.Task[list[bytes]] | None], tasks: list[asyncio.Task[None]]
) -> list[bytes] | None:
    """The next window's lines, None after the last; raises what made one of the tasks fail meanwhile."""
    waiting = asyncio.create_task(_take(windows))
    try:
        while not waiting.done():
            running = [task for task in tasks if not task.done()]
            await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        return waiting.result()
    finally:
        waiting.cancel()


async def _fail(error: Exception) -> list[bytes]:
    raise error


async def _take(windows: asyncio.Queue[asyncio.Task[list[bytes]] | None]) -> list[bytes] | None:
    task = await windows.get()
    return None if task is None else await task


_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ],
}


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["sentiment"])
    room = _Room(_COLLECTED * service.settings.max_body_bytes)

    @routes.post(
        ANALYZE_STREAM,
        response_class=Response,
        responses={
            200: {
                "description": "one line an answer, in order, then a line with a summary",
                "content": {MEDIA_TYPE: {"schema": {"type": "object"}}},
            },
            **error_responses(401, 404, 408, 429, 500, 503),
        },
        openapi_extra={
            "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": _ROW_SCHEMA}}},
        },
    )
    async def analyze_stream(
        request: Request, model: Annotated[str | None, Query(description=MODEL)] = None
    ) -> Response:
        """Analyse lines of JSON, `{"id": 1, "text": "…"}`, as they arrive.

        Each answer carries its row's id (without one: the line's number). A bad row fails alone. The last
        line is `{"summary": {"rows": …, "errors": …}}`; where it is missing, send the rows without an
        answer again. There is no total deadline and no limit on rows, only on silence and on each line.
        Where Content-Length says at most MAX_BODY_BYTES, the first answer comes after the whole body, so it
        can be sent without reading meanwhile; longer ones need a sender that reads, too.
        """
        request.state.model = found = service.models.find(model)
        return _Answer(service, room, found, request.state.request_id)

    return routes
