"""The parent of several HTTP workers: scheduler, worker slots, signals. It answers no HTTP itself."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from sentiment_service.engine.scheduler import Scheduler, Status
from sentiment_service.logs import log_error, log_event
from sentiment_service.notify import Notifier
from sentiment_service.settings import Settings
from sentiment_service.workers.channel import Channel

# A worker that lives shorter than this has not served: replacing it at once would spin.
_YOUNG_SECONDS = 1.0
# A worker that is asked this often and says nothing for so long hangs; one that starts may take longer.
_PING_EVERY_SECONDS = 1.0
_SILENT_SECONDS = 5.0
_START_SECONDS = 60.0

# Serves a listening socket until it is told so on the worker's end of a channel; returns the exit code.
Serve = Callable[[socket.socket, socket.socket, Status], int]


class _Slot:
    """One worker process and the parent's end of the channel to it."""

    def __init__(self, pid: int, sock: socket.socket, *, warm: bool) -> None:
        self.pid = pid
        self.sock = sock
        self.warm = warm
        """Forked when what the workers share was imported."""
        self.heard = False
        """It said something since the last look."""
        self.since = time.monotonic()
        self.patience = _START_SECONDS
        self.active = 0
        self.channel: Channel | None = None
        self.calls: dict[int, asyncio.Task[None]] = {}


class Parent:
    """Forks from plain code between two runs of its event loop, never from inside it."""

    def __init__(self, settings: Settings, serve: Serve, listener: socket.socket) -> None:
        self._settings = settings
        self._serve = serve
        self._listener = listener
        self._slots: list[_Slot] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._warm = False
        self._notifier = Notifier()
        self._dead = asyncio.Event()
        self._stop = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._scheduler = Scheduler(
            settings, pids=lambda: [os.getpid(), *(slot.pid for slot in self._slots)], on_status=self._tell
        )

    def run(self, warm: Callable[[], None]) -> int:
        """Serve until a signal. The first worker starts at once; the others when `warm` has imported what
        they share, and then replace it."""
        with asyncio.Runner() as runner:
            runner.run(self._start())
            early = self._fork(runner)
            warm()
            self._warm = True
            # What exists now is shared by all workers for good; the collector must not touch it.
            gc.collect()
            gc.freeze()
            for _ in range(self._settings.http_workers):
                self._fork(runner)
            runner.run(self._end(early))
            while runner.run(self._until_work()):
                while len(self._slots) < self._settings.http_workers:
                    self._fork(runner)
            return 0

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        self._scheduler.start()
        self._watch = asyncio.create_task(self._watch_workers(), name="worker-watch")

    def _fork(self, runner: asyncio.Runner) -> _Slot:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            self._become_worker(ours, theirs)
        theirs.close()
        slot = _Slot(pid, ours, warm=self._warm)
        self._slots.append(slot)
        runner.run(self._attend(slot))
        return slot

    def _become_worker(self, ours: socket.socket, theirs: socket.socket) -> None:
        """In the child: let go of what is the parent's, serve, and never return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)  # the parent says when to stop
            # Else the end of the parent would not be seen by whoever waits for it on these.
            others = (ours, *(slot.sock for slot in self._slots), *self._scheduler.engine_sockets)
            for sock in others:
                if sock.fileno() >= 0:  # else its worker has just ended, too
                    os.close(sock.fileno())
            code = self._serve(self._listener, theirs, self._scheduler.status)
        except BaseException as error:  # it must end here: above is the parent's own stack
            log_error("", "worker_failed", str(error), {"pid": os.getpid()}, exception=error)
        finally:
            os._exit(code)

    async def _attend(self, slot: _Slot) -> None:
        slot.channel = await Channel.open(slot.sock)
        slot.channel.send("status", self._scheduler.status)
        task = asyncio.create_task(self._listen(slot, slot.channel), name=f"worker-{slot.pid}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, slot: _Slot, channel: Channel) -> None:
        while (message := await channel.receive()) is not None:
            slot.patience = _SILENT_SECONDS
            slot.heard = True
            match message:
                case ("call", number, method, arguments, options):
                    call = asyncio.create_task(
                        self._answer(slot, channel, number, method, arguments, options)
                    )
                    slot.calls[number] = call
                case ("cancel", number):
                    if (task := slot.calls.get(number)) is not None:
                        task.cancel()
                case ("began",):
                    slot.active += 1
                    self._scheduler.metrics.request_began()
                case ("ended", *how):
                    slot.active -= 1
                    self._scheduler.metrics.request_ended(*how)
        for task in slot.calls.values():
            task.cancel()
        self._scheduler.metrics.requests_lost(slot.active)
        channel.close()
        code = await _reap(slot.pid)
        self._slots.remove(slot)
        if code != 0 and not self._stop.is_set():
            log_error("", "worker_failed", f"an HTTP worker ended: {code}", {"pid": slot.pid})
            await asyncio.sleep(max(0.0, slot.since + _YOUNG_SECONDS - time.monotonic()))
        self._dead.set()

    async def _watch_workers(self) -> None:
        """Kill a worker that hangs; as a dead one it is replaced. Time is counted in turns of this loop: a
        pause of the whole service is no hang."""
        while True:
            await asyncio.sleep(_PING_EVERY_SECONDS)
            self._notify()
            for slot in self._slots:
                if slot.channel is None:
                    continue
                slot.patience -= _PING_EVERY_SECONDS
                if slot.patience > 0:
                    slot.channel.send("ping")
                else:
                    log_error("", "worker_failed", "an HTTP worker gives no sign of life", {"pid": slot.pid})
                    os.kill(slot.pid, signal.SIGKILL)

    def _notify(self) -> None:
        """Alive while a worker answers: one that hangs is replaced here, the whole service by systemd."""
        heard = [slot for slot in self._slots if slot.heard]
        if heard:
            warm = any(slot.warm for slot in heard)
            self._notifier.alive(welcome=warm and not self._scheduler.status.unready())
        for slot in heard:
            slot.heard = False

    async def _answer(
        self, slot: _Slot, channel: Channel, number: int, method: str, arguments: Any, options: Any
    ) -> None:
        try:
            channel.send("answer", number, await getattr(self._scheduler, method)(*arguments, **options))
        except Exception as error:  # it is raised again in the worker
            channel.send("error", number, error)
        finally:
            del slot.calls[number]

    async def _until_work(self) -> bool:
        """True when a worker is to be replaced, False when all is over."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._dead, self._stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        self._dead.clear()
        if not self._stop.is_set():
            return True
        self._listener.close()  # else who comes now would wait for nobody
        for slot in list(self._slots):
            await self._end(slot)
        await asyncio.gather(*self._tasks)
        assert self._watch is not None
        self._watch.cancel()
        await self._scheduler.stop()
        return False

    async def _end(self, slot: _Slot) -> None:
        """Ask a worker to finish what it does and end."""
        if slot.channel is not None:
            slot.channel.send("stop")

    def _tell(self, status: Status) -> None:
        for slot in self._slots:
            if slot.channel is not None:
                slot.channel.send("status", status)

    def _on_signal(self, number: int) -> None:
        if self._draining is not None:
            self._stop.set()
            return
        seconds = self._settings.drain_seconds
        log_event("draining", signal=signal.Signals(number).name, seconds=seconds)
        self._scheduler.drain()
        self._notifier.stopping()
        self._draining = asyncio.create_task(self._stop_later(seconds), name="drain")

    async def _stop_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._stop.set()


async def _reap(pid: int) -> int:
    """The exit code of a child that has closed its channel; negative for a signal."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 it does not block
        if ended:
            return os.waitstatus_to_exitcode(status)
        await asyncio.sleep(0.005)
