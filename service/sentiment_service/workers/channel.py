"""Messages between the parent and one HTTP worker: pickled tuples over a socket pair.

Both ends are the same program at the same version, and no other process can reach a socket pair.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from typing import Any

_SIZE = struct.Struct("<I")


class Channel:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._outgoing = bytearray()

    @classmethod
    async def open(cls, sock: socket.socket) -> Channel:
        sock.setblocking(False)
        return cls(*await asyncio.open_connection(sock=sock))

    def send(self, *message: Any) -> None:
        """What is sent in one turn of the event loop travels together."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        payload = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._outgoing += _SIZE.pack(len(payload)) + payload

    async def receive(self) -> tuple[Any, ...] | None:
        """The next message; None when the other side is gone."""
        try:
            (size,) = _SIZE.unpack(await self._reader.readexactly(_SIZE.size))
            message: tuple[Any, ...] = pickle.loads(await self._reader.readexactly(size))  # noqa: S301
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return message

    def close(self) -> None:
        self._writer.close()

    def _flush(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(bytes(self._outgoing))
        self._outgoing.clear()
