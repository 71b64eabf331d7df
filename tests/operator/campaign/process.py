"""The operator in a process of its own, so that it can be killed as a kernel kills it."""

import asyncio
import logging
import multiprocessing
import ssl
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import pytest
from sentiment_operator.cluster.connection import Connection
from sentiment_operator.runtime import Options, Runtime

from .bugs import BUGS

_LOOK_SECONDS = 0.02
# A pass that failed is tried again after that long at most, as often as faults are made here.
_SOON = 2.0
# A server that has imported all, and forks: a start takes milliseconds, and shares nothing with the proxy.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


class OperatorProcess:
    """Runs from the time it is made; `bug` is the name of one that is put in."""

    def __init__(self, server: str, options: Options, bug: str = "") -> None:
        self._idle_looks: Synchronized[int] = _FORKS.Value("L", 0)
        self._process = _FORKS.Process(
            target=_main, args=(server, options, bug, self._idle_looks), daemon=True
        )
        self._process.start()

    async def idle(self) -> bool:
        """Whether it leads, and has no pass under way or due: by what it says within a second from now."""
        # Two: at the second it has taken in all that had come to it before.
        enough = self._idle_looks.value + 2
        for _ in range(50):
            await asyncio.sleep(_LOOK_SECONDS)
            if self._idle_looks.value >= enough:
                return True
        return False

    def kill(self) -> None:
        """SIGKILL: it does nothing more."""
        self._process.kill()

    async def gone(self) -> None:
        """Wait until it is dead."""
        await asyncio.to_thread(self._process.join)


def _main(server: str, options: Options, bug: str, idle_looks: Any) -> None:
    logging.disable(logging.ERROR)  # faults are what is wanted here
    with pytest.MonkeyPatch.context() as patch:
        if bug:
            BUGS[bug](patch)
        asyncio.run(_run(server, options, idle_looks))


async def _run(server: str, options: Options, idle_looks: Any) -> None:
    connection = Connection(server, ssl.create_default_context(), options.lease_namespace)
    runtime = Runtime(connection, options)
    runtime.start()
    parent = multiprocessing.parent_process()
    while parent and parent.is_alive():
        idle_looks.value += runtime.election.leading and runtime.queue.idle(_SOON)
        await asyncio.sleep(_LOOK_SECONDS)
