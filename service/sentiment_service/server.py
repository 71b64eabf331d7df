"""Runs the app under uvicorn, and drains it on SIGTERM."""

from __future__ import annotations

import math
import signal
import time
from types import FrameType

import uvicorn

from sentiment_service import logs
from sentiment_service.app import Service, create_app
from sentiment_service.settings import Settings


class DrainingServer(uvicorn.Server):
    """On the first signal: not ready, but still answering for DRAIN_SECONDS, then a graceful stop.

    Kubernetes tells the pod and the load balancers at the same time, so requests still arrive for a
    while after SIGTERM. A second signal stops at once.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._stop_at = math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._service.draining or not self.started:
            # The base class would raise the signal again after the stop; here a drained stop is exit 0.
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        self._service.draining = True
        seconds = self._service.settings.drain_seconds
        self._stop_at = time.monotonic() + seconds
        logs.log_event("draining", signal=signal.Signals(sig).name, seconds=seconds)

    async def on_tick(self, counter: int) -> bool:
        if time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)


def serve(settings: Settings) -> int:
    logs.configure(settings.log_level)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.request_timeout_seconds) + 1,
    )
    server = DrainingServer(config, app.state.service)
    server.run()
    return 0 if server.started else 1
