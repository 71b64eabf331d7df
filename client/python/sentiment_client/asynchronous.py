"""The same client for asyncio."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_retries import RetryTransport

from sentiment_client import setup
from sentiment_client.answers import Answer, Failure, to_answer
from sentiment_client.errors import StreamBrokenError, to_error, unreachable
from sentiment_client.pieces import LANES, Piece, pieces


class AsyncSentimentClient:
    """Like SentimentClient, to await."""

    def __init__(
        self,
        base_url: str = "http://localhost:7860",
        *,
        api_key: str | None = None,
        timeout: float = 35,
        retries: int = 5,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retry = setup.retry(retries)
        self._http = httpx.AsyncClient(
            **setup.settings(base_url, api_key, timeout),
            transport=RetryTransport(transport or httpx.AsyncHTTPTransport(), self._retry),
        )

    async def analyze(self, text: str, *, model: str | None = None) -> Answer:
        """One text. A text that can't be analysed (blank, too long) is a ServiceError with status 422."""
        found = (await self._call("POST", setup.ANALYZE, setup.chosen({"text": text}, model)))["data"]
        answer = to_answer(text, found)
        assert answer.ok
        return answer

    async def analyze_batch(
        self, texts: Iterable[str], *, model: str | None = None
    ) -> list[Answer | Failure]:
        """Up to 1000 texts (the service's MAX_BATCH_ITEMS) in one request, in their order."""
        asked = list(texts)
        body = setup.chosen({"texts": asked, "return_details": True}, model)
        found = (await self._call("POST", setup.BATCH, body))["data"]
        return [to_answer(text, item) for text, item in zip(asked, found, strict=True)]

    async def analyze_stream(
        self, texts: Iterable[str], *, model: str | None = None
    ) -> AsyncIterator[Answer | Failure]:
        """Any number of texts; the answers come in their order while later texts are still read."""
        waiting: deque[asyncio.Task[list[Answer | Failure]]] = deque()
        try:
            for piece in pieces(texts):
                waiting.append(asyncio.create_task(self._answer(piece, model)))
                if len(waiting) == LANES:
                    for answer in await waiting.popleft():
                        yield answer
            while waiting:
                for answer in await waiting.popleft():
                    yield answer
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def info(self) -> dict[str, Any]:
        """Version, model and limits, as /api/v1/info says."""
        return await self._call("GET", setup.INFO)

    async def health(self) -> dict[str, Any]:
        """The article's /health."""
        return await self._call("GET", setup.HEALTH)

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        request = self._http.build_request(method, path, **(setup.json_body(body) if body else {}))
        found: dict[str, Any] = (await self._open(request, stream=False)).json()
        return found

    async def _answer(self, piece: Piece, model: str | None) -> list[Answer | Failure]:
        retry = self._retry
        while before := len(piece.open):
            try:
                await self._send(piece, model)
            except StreamBrokenError as error:
                # Whoever gets further begins to count anew.
                retry = self._retry if len(piece.open) < before else retry
                if retry.is_exhausted():
                    raise
                retry = retry.increment()
                await retry.asleep(error)
        return piece.answers()

    async def _send(self, piece: Piece, model: str | None) -> None:
        request = self._http.build_request(
            "POST",
            setup.STREAM,
            params=setup.chosen({}, model),
            content=piece.body(),
            headers=setup.LINES,
        )
        response = await self._open(request, stream=True)
        try:
            async for line in response.aiter_lines():
                piece.read(line)
        except (httpx.TransportError, json.JSONDecodeError) as error:
            raise StreamBrokenError(f"{request.url}: {error!r}") from error
        finally:
            await response.aclose()
        if piece.open:
            raise StreamBrokenError(f"{request.url}: the answer ended too early")

    async def _open(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        try:
            response = await self._http.send(request, stream=stream)
            if response.is_error:
                await response.aread()
        except httpx.TransportError as error:
            raise unreachable(error, request.url) from error
        if response.is_error:
            raise to_error(response)
        return response

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
