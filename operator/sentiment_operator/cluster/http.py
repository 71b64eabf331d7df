"""One HTTP client to the API server: JSON in and out, errors with the server's words, every call counted."""

from collections.abc import AsyncGenerator, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import ClientError, ClientRequest, ClientResponse, ClientTimeout, TCPConnector
from aiohttp.connector import Connection as Wire
from prometheus_client import Counter
from yarl import URL

from .connection import Connection

Manifest = dict[str, Any]
Query = Sequence[tuple[str, str]]

API_CALLS = Counter("sentiment_operator_api_calls", "Calls to the API server", ["verb", "kind", "code"])
_CONNECT_SECONDS = 5.0


class ApiError(Exception):
    """The API server said no. `code` is the HTTP status (0: no answer), `message` its own words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class NotLeaderError(Exception):
    """A write that was about to be sent although the Lease may be another's by now."""


class Http:
    """Made and used in one event loop. `may_write` is asked right before a writing request is sent."""

    def __init__(
        self,
        connection: Connection,
        *,
        user_agent: str,
        connections: int = 0,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        """connections: the most that are open at once; 0 means no limit."""
        self._connection = connection
        self._base = connection.server

        class Guarded(ClientRequest):
            async def send(self, conn: Wire) -> ClientResponse:
                # Here, not earlier: a connection may have been waited for.
                if self.method != "GET" and not may_write():
                    raise NotLeaderError
                return await super().send(conn)

        self._session = aiohttp.ClientSession(
            connector=TCPConnector(limit=connections, ssl=connection.tls, keepalive_timeout=60),
            headers={"User-Agent": user_agent, "Accept": "application/json"},
            request_class=Guarded,
            auto_decompress=True,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def call(
        self,
        verb: str,
        kind: str,
        path: str,
        body: Manifest | None = None,
        query: Query = (),
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        seconds: float = 30.0,
    ) -> Manifest:
        """One request; raises ApiError. `seconds` is the longest that it may take, also for the server."""
        try:
            async with self._session.request(
                verb,
                self._url(path, query),
                data=None if body is None else orjson.dumps(body),
                headers={**self._connection.headers(), "Content-Type": content_type, "Accept": accept},
                timeout=ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS),
            ) as response:
                text = await response.read()
        except (ClientError, TimeoutError, OSError) as error:
            API_CALLS.labels(verb, kind, "none").inc()
            raise ApiError(0, f"the API server does not answer: {error or type(error).__name__}") from error
        API_CALLS.labels(verb, kind, str(response.status)).inc()
        if not 200 <= response.status < 300:
            raise ApiError(response.status, _message(text) or str(response.reason))
        try:
            parsed: Manifest = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ApiError(0, f"the API server's answer is no JSON: {error}") from error
        return parsed

    async def stream(
        self, kind: str, path: str, query: Query, *, silence_seconds: float
    ) -> AsyncGenerator[Manifest]:
        """The JSON lines of a watch; raises ApiError, also when nothing came for `silence_seconds`."""
        timeout = ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silence_seconds)
        try:
            async with self._session.get(
                self._url(path, query), headers=self._connection.headers(), timeout=timeout
            ) as response:
                API_CALLS.labels("WATCH", kind, str(response.status)).inc()
                if response.status != 200:
                    raise ApiError(response.status, _message(await response.read()))
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield orjson.loads(line)
        except (ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
            raise ApiError(0, f"the watch broke: {error or type(error).__name__}") from error

    def _url(self, path: str, query: Query) -> URL:
        return URL(f"{self._base}{path}", encoded=True).with_query(query)


def _message(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
