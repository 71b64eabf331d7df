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
        self._idle: Synchronized[int] = _FORKS.Value("b", 0)
        self._process = _FORKS.Process(target=_main, args=(server, options, bug, self._idle), daemon=True)
        self._process.start()

    @property
    def idle(self) -> bool:
        """Whether it leads, and has no pass under way or due."""
        return bool(self._idle.value) and self._process.is_alive()

    def kill(self) -> None:
        """SIGKILL: it does nothing more."""
        self._process.kill()

    async def gone(self) -> None:
        """Wait until it is dead."""
        await asyncio.to_thread(self._process.join)


def _main(server: str, options: Options, bug: str, idle: Any) -> None:
    logging.disable(logging.ERROR)  # faults are what is wanted here
    with pytest.MonkeyPatch.context() as patch:
        if bug:
            BUGS[bug](patch)
        asyncio.run(_run(server, options, idle))


async def _run(server: str, options: Options, idle: Any) -> None:
    connection = Connection(server, ssl.create_default_context(), options.lease_namespace)
    runtime = Runtime(connection, options)
    runtime.start()
    parent = multiprocessing.parent_process()
    while parent and parent.is_alive():
        idle.value = runtime.election.leading and runtime.queue.idle(_SOON)
        await asyncio.sleep(_LOOK_SECONDS)
