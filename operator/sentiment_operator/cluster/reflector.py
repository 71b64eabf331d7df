"""Keeps a cache like the API server: lists a kind, then watches it, for ever.

The pattern is client-go's Reflector. Beyond it: every watch ends after some minutes with a fresh list, which
heals whatever a broken stream missed.
"""

import asyncio
import logging
import random
import time
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, Protocol

from ..api.kinds import Kind
from .client import Cluster
from .http import ApiError

Manifest = dict[str, Any]
log = logging.getLogger(__name__)

# The server sends a bookmark about once a minute: this much silence means a dead connection.
SILENCE_SECONDS = 120.0
LAST_RETRY_SECONDS = 30.0
_GONE = 410


class Sink(Protocol):
    """Takes what a reflector hears."""

    def seen(self, obj: Manifest) -> None:
        """An object as it is now."""

    def gone(self, obj: Manifest) -> None:
        """An object as it was when it was deleted."""

    def listed(self, kind: str, namespace: str | None, names: set[tuple[str, str]], version: int) -> None:
        """At this version there were exactly these objects: (namespace, name)."""


class Reflector:
    """One kind in one namespace, or (None) in all."""

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        namespace: str | None,
        selector: str,
        sink: Sink,
        *,
        relist_seconds: float = 600.0,
        pause_seconds: float = 1.0,
    ) -> None:
        """relist_seconds: life of a watch, ±10 %; pause_seconds: least time between two requests."""
        self.kind = kind
        self.namespace = namespace
        self.synced = asyncio.Event()
        # When the server last said anything; when the loop last did anything (time.monotonic()).
        self.heard_at = self.moved_at = time.monotonic()
        self._cluster = cluster
        self._selector = selector
        self._sink = sink
        self._relist = relist_seconds
        self._pause = pause_seconds

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            self.moved_at = time.monotonic()
            try:
                version = await self._list()
                failures = 0
                await self._watch(version)
            except ApiError as error:
                failures += 1
                log.warning("cannot list %s, will try again: %s", self.kind.plural, error)
                await asyncio.sleep(self._backoff(failures))

    async def refresh(self) -> None:
        """Read everything once more, now; raises ApiError."""
        async for page, _ in self._cluster.pages(self.kind, self.namespace, self._selector):
            self._take(page)

    async def _list(self) -> str:
        names: set[tuple[str, str]] = set()
        version = "0"
        async for page, at in self._cluster.pages(self.kind, self.namespace, self._selector):
            version = at
            self._take(page)
            names.update((item["metadata"]["namespace"], item["metadata"]["name"]) for item in page)
        self._sink.listed(self.kind.kind, self.namespace, names, int(version))
        self.synced.set()
        return version

    def _take(self, page: Iterable[Manifest]) -> None:
        self._heard()
        for obj in page:
            self._sink.seen(obj)

    async def _watch(self, version: str) -> None:
        """Returns when it is time for a fresh list."""
        end = time.monotonic() + self._relist * random.uniform(0.9, 1.1)
        failures = 0
        while (left := end - time.monotonic()) > 0:
            started = self.moved_at = time.monotonic()
            events = self._cluster.watch(
                self.kind,
                self.namespace,
                self._selector,
                version,
                seconds=left,
                silence_seconds=SILENCE_SECONDS,
            )
            try:
                async with aclosing(events):
                    async for event in events:
                        self._heard()
                        version = self._handle(event)
                failures = 0
            except ApiError as error:
                if error.code == _GONE:
                    return
                failures += 1
                log.info("watch of %s: %s", self.kind.plural, error)
            # A server that ends each watch at once must not be asked in a tight loop.
            wait = self._backoff(failures) if failures else self._pause - (time.monotonic() - started)
            await asyncio.sleep(max(0.0, min(wait, end - time.monotonic())))

    def _handle(self, event: Manifest) -> str:
        """The version that the watch has come to."""
        obj = event["object"]
        match event["type"]:
            case "ADDED" | "MODIFIED":
                self._sink.seen(obj)
            case "DELETED":
                self._sink.gone(obj)
            case "ERROR":
                raise ApiError(obj.get("code", 0), obj.get("message", "watch error"))
        return str(obj["metadata"]["resourceVersion"])

    def _heard(self) -> None:
        self.heard_at = self.moved_at = time.monotonic()

    def _backoff(self, failures: int) -> float:
        return float(
            min(LAST_RETRY_SECONDS, self._pause * 2 ** min(failures - 1, 10)) * random.uniform(0.5, 1.5)
        )
