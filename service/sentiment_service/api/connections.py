"""The connections of one worker, bounded: uvicorn's HTTP protocol with limits that it leaves to a proxy.

What a hostile or broken client may hold is small and for a short time:

- a request's head must be there within HEAD_SECONDS, and be no larger than MAX_HEAD_BYTES (431);
- of pipelined requests only MAX_PIPELINED may wait;
- who stops reading is cut off after STALL_SECONDS;
- when MAX_CONNECTIONS are open, a new one takes the place of the one that is idle for the longest.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
MAX_HEAD_BYTES = 32 << 10
MAX_PIPELINED = 32
STALL_SECONDS = 20.0
CLOSE_SECONDS = 5.0
FAREWELL_SECONDS = 1.0
# Longer than proxies keep theirs (nginx 60 s): the side that closes first must not be this one.
KEEP_ALIVE_SECONDS = 75
MAX_CONNECTIONS = 16_384
SOCKET_BUFFER_BYTES = 128 << 10
_RESERVED_FILES = 128

_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 34\r\n\r\n"
    b"The request's headers are too long"
)


class _Limit(Exception):  # noqa: N818 it never leaves the parser
    """Raised in a parser's callback to stop it."""


class GuardedConnection(HttpToolsProtocol):
    # Waiting for a request, the longest first. One event loop, so one registry, for each process.
    _idle: dict[GuardedConnection, None] = {}  # noqa: RUF012
    max_connections = MAX_CONNECTIONS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_bytes = 0
        self._in_head = False
        self._too_large = False
        self._last = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            # With nobody idle it is this one: those that are being served come first.
            next(iter(self._idle), self)._abort()
        if not transport.is_closing():
            self._idle[self] = None
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle.pop(self, None)
        for timer in (self._head_timer, self._stall_timer, self._close_timer, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._too_large = True
                self.send_400_response("")
        if self in self._idle and self._head_timer is None:
            self._expect_head()

    def eof_received(self) -> None:
        self._close_soon()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES:
            self._too_large = True
            raise _Limit
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._idle.pop(self, None)
        self._clear_head_timer()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._abort()
            raise _Limit
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._close_soon()
        elif self.cycle.response_complete:  # else the next pipelined one is running
            if self.cycle.more_body:  # answered without its body: what still comes is no request
                self._close_soon()
                return
            self._idle[self] = None

    def send_400_response(self, msg: str) -> None:
        if self.transport.is_closing():
            return
        if self._too_large:
            self.transport.write(_HEAD_TOO_LARGE)
        else:
            super().send_400_response(msg)
        self._close_soon()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer = self.loop.call_later(STALL_SECONDS, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def timeout_keep_alive_handler(self) -> None:
        self._close_soon()

    def shutdown(self) -> None:
        """A request may be on its way on a connection that looks idle: it is still served, as the last."""
        self._last = True
        if self in self._idle:
            self._clear_head_timer()
            self._head_timer = self.loop.call_later(FAREWELL_SECONDS, self._close_soon)
        else:
            super().shutdown()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._close_soon)

    def _clear_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_soon(self) -> None:
        """Close once what is written has been read, or after a while even if not."""
        self.transport.close()
        if self._close_timer is None:
            self._close_timer = self.loop.call_later(CLOSE_SECONDS, self._abort)

    def _abort(self) -> None:
        self._idle.pop(self, None)
        self.transport.abort()


def raise_file_limit() -> None:
    """Let this process, and those it forks, open as many connections as the system grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _RESERVED_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    if soft != resource.RLIM_INFINITY:
        GuardedConnection.max_connections = min(MAX_CONNECTIONS, max(1, soft - _RESERVED_FILES))


def bound_buffers(listener: socket.socket) -> None:
    """For all of its connections, before it listens. Left to itself the kernel holds up to 4 MB of an answer
    that nobody reads, and 6 MB of a body that is not read yet, where this process does not see it."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)


# What `uvicorn.Config` is given. There are no websockets here.
OPTIONS: dict[str, Any] = {
    "http": GuardedConnection,
    "ws": "none",
    "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    "access_log": False,
    "server_header": False,
}
