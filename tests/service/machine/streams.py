"""Streams as a client sees them on its socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

STREAM = "/api/v1/sentiment/analyze/stream"
_CHUNKED = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def send_row(client: socket.socket, name: str) -> None:
    """Send one row, as a chunk."""
    row = json.dumps({"id": name, "text": "好"}).encode() + b"\n"
    client.sendall(b"%x\r\n%s\r\n" % (len(row), row))


def read_row(client: socket.socket, name: str) -> None:
    """Read until the answer of a row is there."""
    received = b""
    while f'"id":"{name}"'.encode() not in received.replace(b": ", b":"):
        piece = client.recv(65536)
        assert piece, received
        received += piece


@contextmanager
def streaming(port: int) -> Iterator[socket.socket]:
    """A stream whose first row is answered while its second one is not even sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(_CHUNKED)
        send_row(client, "one")
        read_row(client, "one")
        yield client
