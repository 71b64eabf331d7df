"""What goes over the socket between the batcher and the engine's process: frames of a kind and a payload."""

from __future__ import annotations

import socket
import struct
from array import array
from collections.abc import Sequence
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # 3 MB that the engine's process has no use for
    import asyncio

Ids = tuple[int, ...]
Logits = tuple[float, float]

_HEAD = struct.Struct("<BI")
_ANSWER = struct.Struct("<Id")


class Kind(IntEnum):
    LOAD = 1  # JSON: which engine, which files, how many threads
    LOADED = 2  # JSON: how many runs may go on at the same time, what it runs on, what a run costs
    FAILED = 3  # text: why it cannot be loaded
    RUN = 4  # run's number, rows, tokens that they are padded to, lengths, ids: uint32 each
    ANSWER = 5  # run's number: uint32, engine seconds: float64, logits: float32 [rows, 2]
    ERROR = 6  # run's number: uint32, text
    PING = 7
    PONG = 8
    TRIM = 9  # give free memory back


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    return _HEAD.pack(kind, len(payload)) + payload


def receive(sock: socket.socket) -> tuple[Kind, bytes] | None:
    """Block for the next frame; None when the other side is gone."""
    head = _exactly(sock, _HEAD.size)
    if head is None:
        return None
    kind, size = _HEAD.unpack(head)
    payload = _exactly(sock, size)
    return None if payload is None else (Kind(kind), payload)


async def read(reader: asyncio.StreamReader) -> tuple[Kind, bytes] | None:
    """The next frame; None when the other side is gone."""
    try:
        kind, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        return Kind(kind), await reader.readexactly(size)
    except (EOFError, ConnectionError):  # asyncio's IncompleteReadError is an EOFError
        return None


def pack_run(number: int, batch: Sequence[Ids], width: int) -> bytes:
    words = [number, len(batch), width, *map(len, batch), *chain.from_iterable(batch)]
    return array("I", words).tobytes()


def pack_answer(number: int, seconds: float, logits: bytes) -> bytes:
    return _ANSWER.pack(number, seconds) + logits


def unpack_answer(payload: bytes) -> tuple[int, float, list[Logits]]:
    """Run's number, engine seconds, logits in the order of the rows."""
    number, seconds = _ANSWER.unpack_from(payload)
    flat = array("f", payload[_ANSWER.size :])
    return number, seconds, list(zip(flat[::2], flat[1::2], strict=True))


def pack_error(number: int, message: str) -> bytes:
    return number.to_bytes(4, "little") + message.encode("utf-8", "backslashreplace")


def unpack_error(payload: bytes) -> tuple[int, str]:
    return int.from_bytes(payload[:4], "little"), payload[4:].decode()


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        try:
            part = sock.recv(size - len(data))
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return bytes(data)
