"""Tells systemd how the service is: ready, alive, stopping. Says nothing where nobody listens.

The protocol is one datagram a message (sd_notify(3)); a library would be longer than it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


class Notifier:
    """`address` is what the manager gives in NOTIFY_SOCKET; `@` begins an abstract one."""

    def __init__(self, address: str | None = None) -> None:
        given = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + given[1:] if given.startswith("@") else given
        self._ready = False

    def alive(self, *, welcome: bool) -> None:
        """Call it when HTTP answers, and at no other time: when the calls stop, the service is restarted.
        `welcome`: requests are answered, so what waits for this service may go on."""
        self._send("WATCHDOG=1")
        if welcome and not self._ready:
            self._ready = True
            self._send("READY=1")

    def stopping(self) -> None:
        """It drains, or ends; it gets ready no more."""
        self._ready = True
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A manager that is gone or busy must not end the service; it judges by what arrives.
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
        ):
            sock.sendto(message.encode(), self._address)
