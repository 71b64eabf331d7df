"""Runs the service: one process that does all but infer, or several HTTP workers under a parent."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from sentiment_service import logs
from sentiment_service.api import connections
from sentiment_service.front import Front
from sentiment_service.notify import Notifier
from sentiment_service.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sentiment_service.engine.scheduler import Scheduler, Status

_BACKLOG = 2048
_TICKS_A_SECOND = 10  # of uvicorn's main loop
# New containers until Python's collector looks for cycles. At its own 700 it looks several times while each
# of 128 requests is answered, at what all of them hold: 15 % of the CPU. Many more than these would keep
# bodies too long that a cycle holds.
_COLLECT_AFTER = 10_000


class _Server(uvicorn.Server):
    """Serves `make`'s app behind the front; a failure to make it ends the server."""

    def __init__(
        self, settings: Settings, make: Callable[[], FastAPI], on_early: Callable[[], None] = lambda: None
    ) -> None:
        self.failed = False
        self.front = Front(make, self._fail, on_early)
        config = uvicorn.Config(
            self.front,
            log_config=None,
            **connections.OPTIONS,
            timeout_graceful_shutdown=round(settings.request_timeout_seconds) + 1,
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Who waits in a listening socket when it is closed would be reset: they are served as the last."""
        waiting = [connection for listener in sockets or [] for connection in _waiting(listener)]
        for server in self.servers:
            server.close()
        for connection in waiting:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        return connections.GuardedConnection(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _fail(self, error: BaseException) -> None:
        logs.log_error("", type(error).__name__, str(error), {"while": "starting"}, exception=error)
        self.failed = self.should_exit = True


class DrainingServer(_Server):
    """On the first signal: not ready, but still answering for DRAIN_SECONDS, then a graceful stop.

    Kubernetes tells the pod and the load balancers at the same time, so requests still arrive for a
    while after SIGTERM. A second signal stops at once.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, self._make, self._start_engine)
        self._settings = settings
        self._scheduler: Scheduler | None = None
        self._stop_at = math.inf
        self._notifier = Notifier()

    def _make(self) -> FastAPI:
        from sentiment_service.app import create_app

        app = create_app(self._settings)
        self._scheduler = app.state.service.scheduler
        return app

    def _start_engine(self) -> None:
        """Both cores import at the same time: the app here, the engine's libraries there."""
        if self._settings.engine != "torch":
            from sentiment_service.engine import process

            process.start_ahead()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._scheduler is None or self._stop_at < math.inf:
            # The base class would raise the signal again after the stop; here a drained stop is exit 0.
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        seconds = self._settings.drain_seconds
        self._stop_at = time.monotonic() + seconds
        self._scheduler.drain()
        self._notifier.stopping()
        logs.log_event("draining", signal=signal.Signals(sig).name, seconds=seconds)

    async def on_tick(self, counter: int) -> bool:
        if time.monotonic() >= self._stop_at:
            self.should_exit = True
        if counter % _TICKS_A_SECOND == 0:
            # This runs in the event loop that answers HTTP.
            self._notifier.alive(welcome=self._welcome)
        return await super().on_tick(counter)

    @property
    def _welcome(self) -> bool:
        return self.front.made and self._scheduler is not None and not self._scheduler.status.unready()


class WorkerServer(_Server):
    """One HTTP worker: obeys its parent, not signals. What `prepare` makes before the fork is shared."""

    def __init__(self, settings: Settings) -> None:
        from sentiment_service.workers.remote import RemoteScheduler

        super().__init__(settings, self._make)
        self._settings = settings
        self._scheduler = RemoteScheduler(self._stop)
        self._app: FastAPI | None = None
        self._sock: socket.socket

    def prepare(self) -> None:
        self._app = self._make()
        self._app.middleware_stack = self._app.build_middleware_stack()
        self.config.load()

    def work(self, listener: socket.socket, sock: socket.socket, status: Status) -> int:
        """In the forked process: serve until the parent says stop."""
        self._sock = sock
        self._scheduler.status = status
        self.run([listener])
        return 1 if self.failed else 0

    def _make(self) -> FastAPI:
        from sentiment_service.app import create_app
        from sentiment_service.engine.model import Model

        if self._app is not None:
            return self._app
        model = None
        with contextlib.suppress(Exception):  # no package yet: each worker reads it when there is one
            model = Model.read(next(iter(self._settings.packages.values())).resolve())
        return create_app(self._settings, self._scheduler, model=model)

    def _stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        from sentiment_service.workers.channel import Channel

        self._listening = self._scheduler.connect(await Channel.open(self._sock))
        await super().startup(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings) -> int:
    gc.set_threshold(_COLLECT_AFTER)
    try:
        logs.configure(settings.log_level, settings.log_file)
    except OSError as error:
        print(f"sentiment-service: LOG_FILE {settings.log_file}: {error.strerror or error}", file=sys.stderr)
        return 1
    connections.raise_file_limit()
    try:
        listener = _listen(settings.host, settings.port)
    except OSError as error:
        where = f"HOST={settings.host} PORT={settings.port}"
        print(f"sentiment-service: cannot listen on {where}: {error}", file=sys.stderr)
        return 1
    host, port = listener.getsockname()[:2]
    logs.log_event("listening", host=host, port=port, workers=settings.http_workers)
    if settings.http_workers > 1:
        return _serve_with_workers(settings, listener)
    server = DrainingServer(settings)
    server.run([listener])
    return 1 if server.failed else 0


def _serve_with_workers(settings: Settings, listener: socket.socket) -> int:
    from sentiment_service.workers.parent import Parent

    server = WorkerServer(settings)
    return Parent(settings, server.work, listener).run(server.prepare)


def _waiting(listener: socket.socket) -> list[socket.socket]:
    """The connections that nobody has accepted yet."""
    listener.setblocking(False)
    found = []
    with contextlib.suppress(OSError):  # none is left
        while True:
            found.append(listener.accept()[0])
    return found


def _listen(host: str, port: int) -> socket.socket:
    """Listening before anything heavy is imported: an early connection waits instead of being refused."""
    [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connections.bound_buffers(listener)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.set_inheritable(True)
    return listener
