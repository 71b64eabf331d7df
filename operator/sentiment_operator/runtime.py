"""The running operator: watches fill the store, events become keys, a leader's queue works them off."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .api.kinds import CHILDREN, POD, Kind
from .api.v1alpha1 import KIND, MODEL_KIND
from .cluster.client import MODEL, SERVICE, WRITE_SECONDS, Cluster
from .cluster.connection import Connection
from .cluster.http import ApiError, Http, NotLeaderError
from .cluster.lease import Election, Terms
from .cluster.progress import PodProgress
from .cluster.reflector import SILENCE_SECONDS, Reflector
from .reconcile.models import Models
from .reconcile.queue import KeyedQueue
from .reconcile.reconciler import OutdatedCacheError, Reconciler
from .reconcile.services import Services
from .reconcile.store import Key, Store
from .render.metadata import MANAGED_BY, MANAGER

T = TypeVar("T")
Manifest = dict[str, Any]
log = logging.getLogger(__name__)

CHILD_SELECTOR = f"{MANAGED_BY}={MANAGER}"
_OWNERS = (SERVICE, MODEL)
_REQUIRED = (*_OWNERS, *(known for known in CHILDREN if not known.optional), POD)
_OPTIONAL_SECONDS = 10.0
_STUCK_PASS_SECONDS = 300.0
_STUCK_SECONDS = 90.0


@dataclass(frozen=True)
class Options:
    """What an operator is started with."""

    service_image: str
    model_image: str
    identity: str
    lease_namespace: str
    lease_name: str = "sentiment-operator"
    # Empty: all.
    namespaces: Sequence[str] = ()
    # Passes at the same time; each has one request under way.
    workers: int = 16
    terms: Terms = field(default_factory=Terms)
    # How long changes of children and pods gather before a pass looks at them.
    settle_seconds: float = 1.0
    relist_seconds: float = 600.0
    resync_seconds: float = 600.0
    discovery_seconds: float = 30.0
    first_retry_seconds: float = 0.5
    pause_seconds: float = 1.0


class Runtime:
    """Made on a running event loop."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self.options = options
        self.store = Store()
        agent = f"sentiment-operator/{options.identity}"
        self._lease_http = Http(connection, user_agent=agent, connections=1)
        self.election = Election(
            self._lease_http,
            options.lease_namespace,
            options.lease_name,
            options.identity,
            options.terms,
            self._leading,
        )
        self._reads = Http(connection, user_agent=agent)
        self._writes = Http(
            connection, user_agent=agent, connections=options.workers, may_write=self.election.may_write
        )
        self._cluster = Cluster(self._reads, self._writes)
        # What the cluster offers beyond what all do; an optional kind counts when its cache is filled.
        self.apis: frozenset[str] = frozenset()
        self._progress = PodProgress()
        self._reconciler = Reconciler(
            self._cluster,
            self.store,
            {
                KIND: Services(self.store, options.service_image, lambda: self.apis),
                MODEL_KIND: Models(
                    self.store,
                    options.model_image,
                    lambda: self.apis,
                    self._progress.ask,
                    self._cluster.last_warning,
                ),
            },
            wake=lambda key: self.queue.add(key),
            settle_seconds=options.settle_seconds,
        )
        self.queue: KeyedQueue[Key] = KeyedQueue(
            self._reconciler.reconcile,
            failed=_log_failure,
            workers=options.workers,
            resync_seconds=options.resync_seconds,
            first_retry_seconds=options.first_retry_seconds,
        )
        self.reflectors: dict[tuple[str, str | None], Reflector] = {}
        self._watching: dict[str, list[asyncio.Task[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._takeover: asyncio.Task[None] | None = None
        self._discovered = asyncio.Event()
        self.synced = False

    def start(self) -> None:
        """Begin."""
        for kind in _REQUIRED:
            self._watch(kind)
        self._tasks = [self._task(self.queue.run()), self._task(self._discover()), self._task(self._serve())]

    async def stop(self) -> None:
        """End in order: let passes under way finish, give the Lease back."""
        await self.queue.drain(2 * WRITE_SECONDS)
        await self.abort(release=True)

    async def abort(self, *, release: bool = False) -> None:
        """End at once; the next operator finishes what was under way."""
        tasks = [*self._tasks, *(task for tasks in self._watching.values() for task in tasks)]
        tasks += [self._takeover] if self._takeover else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if release:
            await self.election.release()
        for http in (self._lease_http, self._reads, self._writes, self._progress):
            await http.close()

    def troubles(self) -> list[str]:
        """Why this process should be restarted: what does no longer move. Empty when all is well."""
        now = time.monotonic()
        found = [f"task {task.get_name()} ended" for task in self._tasks if task.done()]
        for kind, tasks in self._watching.items():
            found += [f"the watch of {kind} ended" for task in tasks if task.done()]
        if now - self.queue.beat_at > _STUCK_SECONDS:
            found.append("the queue is stuck")
        if self.queue.longest_pass() > _STUCK_PASS_SECONDS:
            found.append("a pass is stuck")
        if now - self.election.moved_at > _STUCK_SECONDS:
            found.append("the election is stuck")
        # A server that does not answer is no reason to restart; a loop that no longer asks is one.
        found += [
            f"the watch of {reflector.kind.kind} is stuck"
            for reflector in self.reflectors.values()
            if now - reflector.moved_at > SILENCE_SECONDS + _STUCK_SECONDS
        ]
        return found

    # The reflectors' sink.

    def seen(self, obj: Manifest) -> None:
        """An object came or changed: remember it, ask for a pass."""
        # A new spec is acted on at once; what follows from our own writes may gather.
        delay = 0.0 if self.store.is_news(obj) else self.options.settle_seconds
        for key in self.store.put(obj):
            self.queue.add(key, delay)

    def gone(self, obj: Manifest) -> None:
        """An object was deleted."""
        for key in self.store.drop(obj):
            if self.store.get(*key) is None:
                self.queue.forget(key)
            else:
                self.queue.add(key, self.options.settle_seconds)

    def listed(self, kind: str, namespace: str | None, names: set[tuple[str, str]], version: int) -> None:
        """A fresh list: what it lacks is gone."""
        for key in self.store.keep_only(kind, namespace, names, version):
            self.queue.add(key)

    def _watch(self, kind: Kind) -> None:
        selector = "" if kind in _OWNERS else CHILD_SELECTOR
        self._watching[kind.kind] = []
        everywhere: Sequence[str | None] = (None,)
        for namespace in self.options.namespaces or everywhere:
            reflector = Reflector(
                self._cluster,
                kind,
                namespace,
                selector,
                self,
                relist_seconds=self.options.relist_seconds,
                pause_seconds=self.options.pause_seconds,
            )
            self.reflectors[kind.kind, namespace] = reflector
            self._watching[kind.kind].append(self._task(reflector.run()))

    async def _unwatch(self, kind: str) -> None:
        for task in self._watching.pop(kind):
            task.cancel()
        for place in [place for place in self.reflectors if place[0] == kind]:
            del self.reflectors[place]
            self.listed(kind, None, set(), 2**63)

    async def _discover(self) -> None:
        """Find optional kinds that were installed or removed since."""
        optional = {known.kind: known for known in CHILDREN if known.optional}
        while True:
            try:
                offers = await self._cluster.offers()
            except ApiError as error:
                log.warning("cannot discover what the cluster offers: %s", error)
                await asyncio.sleep(min(5.0, self.options.discovery_seconds))
                continue
            for kind in optional:
                if kind in offers and kind not in self._watching:
                    log.info("%s is installed", kind)
                    self._watch(optional[kind])
                elif kind not in offers and kind in self._watching:
                    log.info("%s was removed", kind)
                    await self._unwatch(kind)
            # One that can't be listed (no rights on it) is as good as not installed.
            offers -= await self._unfilled(offers & optional.keys(), _OPTIONAL_SECONDS)
            if offers != self.apis:
                self.apis = offers
                for key in self.store.names():
                    self.queue.add(key)
            self._discovered.set()
            await asyncio.sleep(self.options.discovery_seconds)

    async def _unfilled(self, kinds: Set[str], seconds: float | None) -> set[str]:
        """Wait so long (None: for ever) for the caches of these kinds; those that are not filled."""
        waits = {
            self._task(reflector.synced.wait()): kind
            for (kind, _), reflector in self.reflectors.items()
            if kind in kinds
        }
        if not waits:
            return set()
        try:
            _, late = await asyncio.wait(waits, timeout=seconds)
        finally:
            for task in waits:
                task.cancel()
        return {waits[task] for task in late}

    async def _serve(self) -> None:
        """Stand for election when the caches are filled, so that a leader begins at once."""
        await self._discovered.wait()
        await self._unfilled({kind.kind for kind in _REQUIRED}, None)
        self.synced = True
        await self.election.run()

    def _leading(self, leading: bool) -> None:
        if leading:
            self._takeover = self._task(self._take_over())
            return
        if self._takeover:
            self._takeover.cancel()
        self.queue.pause()

    async def _take_over(self) -> None:
        """Begin with specs no older than the Lease: a watch may lag behind what the last leader acted on."""
        while True:
            try:
                for (kind, _), reflector in tuple(self.reflectors.items()):
                    if kind in (KIND, MODEL_KIND):
                        await reflector.refresh()
                break
            except ApiError as error:
                log.warning("cannot take over yet: %s", error)
                await asyncio.sleep(self.options.pause_seconds)
        for key in self.store.names():
            self.queue.add(key)
        self.queue.resume()

    def _task(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        return asyncio.create_task(work, name=getattr(work, "__qualname__", ""))


def _log_failure(key: Key, error: Exception, delay: float) -> None:
    if isinstance(error, NotLeaderError | OutdatedCacheError):
        log.info("pass over %s %s/%s begins again in %.1f s: %s", *key, delay, error or "not the leader")
    else:
        log.warning("pass over %s %s/%s failed, next try in %.1f s: %s", *key, delay, error)
