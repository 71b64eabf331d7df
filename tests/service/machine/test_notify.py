"""What systemd is told, over a real socket, by real processes."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sentiment_service.notify import Notifier

from tests.service.running import running, wait_for


class Manager:
    """Hears messages as systemd does, with the time of each."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._all: list[tuple[datetime, str]] = []

    def hear(self) -> None:
        while message := self._sock.recv(4096).decode():
            self._all.append((datetime.now(UTC), message))

    def count(self, message: str) -> int:
        return self.messages().count(message)

    def messages(self) -> list[str]:
        return [heard for _, heard in self._all]

    def since(self, start: datetime, end: datetime) -> list[str]:
        return [heard for when, heard in self._all if start < when < end]


@contextmanager
def _manager(folder: Path) -> Iterator[tuple[Manager, str]]:
    address = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        manager = Manager(sock)
        thread = threading.Thread(target=manager.hear)
        thread.start()
        try:
            yield manager, address
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", address)
            thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_ready_alive_stopping(package: Path, tmp_path: Path, workers: int) -> None:
    with (
        _manager(tmp_path) as (manager, address),
        running(
            package, tmp_path, warm_up=True, workers=workers, drain_seconds=0, notify_socket=address
        ) as one,
    ):
        wait_for("READY=1", lambda: manager.count("READY=1"))
        assert one.ready()
        assert one.http.get("/health").json()["model_loaded"]
        alive = manager.count("WATCHDOG=1")
        wait_for("signs of life", lambda: manager.count("WATCHDOG=1") > alive + 1)
        assert one.terminate() == 0
        wait_for("STOPPING=1", lambda: manager.count("STOPPING=1"))
        assert manager.count("READY=1") == manager.count("STOPPING=1") == 1


def test_without_a_model_it_does_not_get_ready(tmp_path: Path) -> None:
    with (
        _manager(tmp_path) as (manager, address),
        running(tmp_path / "none", tmp_path, warm_up=True, notify_socket=address),
    ):
        wait_for("signs of life", lambda: manager.count("WATCHDOG=1") > 2)
        assert manager.count("READY=1") == 0


def test_no_sign_of_life_while_no_worker_answers(package: Path, tmp_path: Path) -> None:
    with (
        _manager(tmp_path) as (manager, address),
        running(package, tmp_path, warm_up=True, workers=2, notify_socket=address) as one,
    ):
        wait_for("READY=1", lambda: manager.count("READY=1"))
        hung = wait_for("two workers", lambda: found if len(found := one.workers()) == 2 else [])
        for worker in hung:
            worker.send_signal(signal.SIGSTOP)
        stopped = datetime.now(UTC)
        wait_for("both to be replaced", lambda: not any(worker.is_running() for worker in hung))
        silent = [entry for entry in one.logs() if "no sign of life" in entry.get("error_message", "")]
        seen = datetime.fromisoformat(silent[0]["timestamp"])
        # What they said before is passed on once.
        assert manager.since(stopped, seen).count("WATCHDOG=1") <= 1
        alive = manager.count("WATCHDOG=1")
        wait_for("signs of life of the new ones", lambda: manager.count("WATCHDOG=1") > alive)
        # The first new one is forked while the second hung one is still being buried.
        failed = {
            entry["context"]["pid"] for entry in one.logs() if entry.get("error_type") == "worker_failed"
        }
        assert failed == {worker.pid for worker in hung}


def test_abstract_addresses_and_no_address() -> None:
    name = f"sentiment-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        Notifier("@" + name).stopping()
        assert sock.recv(100) == b"STOPPING=1"
    Notifier("@" + name).stopping()  # nobody hears it any more
    Notifier("").stopping()
