"""How the server ends."""

from __future__ import annotations

import socket

from fastapi import FastAPI
from sentiment_service.server import DrainingServer
from sentiment_service.settings import Settings


class _Ending(DrainingServer):
    """Once the app is there, callers ask and the server ends: the event loop has no turn between."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(Settings())
        self._address = address
        self.callers: list[socket.socket] = []

    def _make(self) -> FastAPI:
        app = FastAPI()
        app.get("/")(lambda: "here")
        return app

    async def on_tick(self, counter: int) -> bool:
        if not self.front.made:
            return await super().on_tick(counter)
        for _ in range(3):
            self.callers.append(socket.create_connection(self._address, timeout=10))
            self.callers[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return True


def test_who_is_not_accepted_yet_when_the_server_ends_is_still_answered() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Ending(listener.getsockname())
    server.run([listener])
    answers = [caller.recv(1 << 16) for caller in server.callers]
    assert [answer.split(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 200 OK"] * 3
    assert all(answer.endswith(b'"here"') for answer in answers)
