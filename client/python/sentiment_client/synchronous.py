"""The client for ordinary programs. Threads may share it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_retries import RetryTransport

from sentiment_client import setup
from sentiment_client.answers import Answer, Failure, to_answer
from sentiment_client.errors import StreamBrokenError, to_error, unreachable
from sentiment_client.pieces import LANES, Piece, pieces


class SentimentClient:
    """`retries`: how often a request is made again. `transport`: httpx's, for a proxy or one's own TLS."""

    def __init__(
        self,
        base_url: str = "http://localhost:7860",
        *,
        api_key: str | None = None,
        timeout: float = 35,
        retries: int = 5,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retry = setup.retry(retries)
        self._http = httpx.Client(
            **setup.settings(base_url, api_key, timeout),
            transport=RetryTransport(transport or httpx.HTTPTransport(), self._retry),
        )

    def analyze(self, text: str, *, model: str | None = None) -> Answer:
        """One text. A text that can't be analysed (blank, too long) is a ServiceError with status 422."""
        found = self._call("POST", setup.ANALYZE, setup.chosen({"text": text}, model))["data"]
        answer = to_answer(text, found)
        assert answer.ok
        return answer

    def analyze_batch(self, texts: Iterable[str], *, model: str | None = None) -> list[Answer | Failure]:
        """Up to 1000 texts (the service's MAX_BATCH_ITEMS) in one request, in their order."""
        asked = list(texts)
        body = setup.chosen({"texts": asked, "return_details": True}, model)
        found = self._call("POST", setup.BATCH, body)["data"]
        return [to_answer(text, item) for text, item in zip(asked, found, strict=True)]

    def analyze_stream(self, texts: Iterable[str], *, model: str | None = None) -> Iterator[Answer | Failure]:
        """Any number of texts; the answers come in their order while later texts are still read."""
        waiting: deque[Future[list[Answer | Failure]]] = deque()
        pool = ThreadPoolExecutor(LANES, "sentiment-stream")
        try:
            for piece in pieces(texts):
                waiting.append(pool.submit(self._answer, piece, model))
                if len(waiting) > LANES:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def info(self) -> dict[str, Any]:
        """Version, model and limits, as /api/v1/info says."""
        return self._call("GET", setup.INFO)

    def health(self) -> dict[str, Any]:
        """The article's /health."""
        return self._call("GET", setup.HEALTH)

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        request = self._http.build_request(method, path, **(setup.json_body(body) if body else {}))
        found: dict[str, Any] = self._open(request, stream=False).json()
        return found

    def _answer(self, piece: Piece, model: str | None) -> list[Answer | Failure]:
        retry = self._retry
        while before := len(piece.open):
            try:
                self._send(piece, model)
            except StreamBrokenError as error:
                # Whoever gets further begins to count anew.
                retry = self._retry if len(piece.open) < before else retry
                if retry.is_exhausted():
                    raise
                retry = retry.increment()
                retry.sleep(error)
        return piece.answers()

    def _send(self, piece: Piece, model: str | None) -> None:
        request = self._http.build_request(
            "POST",
            setup.STREAM,
            params=setup.chosen({}, model),
            content=piece.body(),
            headers=setup.LINES,
        )
        response = self._open(request, stream=True)
        try:
            for line in response.iter_lines():
                piece.read(line)
        except (httpx.TransportError, json.JSONDecodeError) as error:
            raise StreamBrokenError(f"{request.url}: {error!r}") from error
        finally:
            response.close()
        if piece.open:
            raise StreamBrokenError(f"{request.url}: the answer ended too early")

    def _open(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        try:
            response = self._http.send(request, stream=stream)
            if response.is_error:
                response.read()
        except httpx.TransportError as error:
            raise unreachable(error, request.url) from error
        if response.is_error:
            raise to_error(response)
        return response

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
