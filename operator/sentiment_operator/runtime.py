"""The running operator: the store, the queue and the passes, behind one door for events."""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .api.kinds import CHILDREN, POD
from .api.v1alpha1 import KIND
from .cluster.client import Cluster
from .reconcile.queue import KeyedQueue
from .reconcile.reconciler import Reconciler
from .reconcile.store import Key, Store
from .render.metadata import MANAGED_BY, MANAGER

log = logging.getLogger(__name__)

WATCHED_CHILDREN = (*(known for known in CHILDREN if not known.optional), POD)
CHILD_SELECTOR = f"{MANAGED_BY}={MANAGER}"
_RELIST_SECONDS = 600
_STUCK_SECONDS = 90.0


class Runtime:
    """Made on the event loop that kopf runs."""

    def __init__(
        self, cluster: Cluster, service_image: str, namespaces: Sequence[str], workers: int = 4
    ) -> None:
        self.store = Store()
        self._cluster = cluster
        self._reconciler = Reconciler(cluster, self.store, service_image, lambda: self.apis)
        self._namespaces: Sequence[str | None] = namespaces or [None]
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="pass")
        self.queue: KeyedQueue[Key] = KeyedQueue(self._pass, failed=_log_failure, workers=workers)
        self._tasks: list[asyncio.Task[None]] = []
        self.synced = False
        # What the cluster offers beyond the required kinds.
        self.apis: frozenset[str] = frozenset()

    def start(self) -> None:
        """Begin to work off the queue."""
        self._tasks = [asyncio.create_task(self.queue.run()), asyncio.create_task(self._relist_forever())]

    async def stop(self) -> None:
        """End; a pass under way is left to die, the next operator finishes its work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def on_event(self, kind: Literal["DELETED"] | str | None, obj: dict[str, Any]) -> None:
        """Whatever happened: remember the object, ask for a pass."""
        keys = self.store.drop(obj) if kind == "DELETED" else self.store.put(obj)
        for key in keys:
            if kind == "DELETED" and obj["kind"] == KIND:
                self.queue.forget(key)
            else:
                self.queue.add(key)

    def alive(self) -> bool:
        """Whether the queue is still being worked off."""
        return time.monotonic() - self.queue.alive_at < _STUCK_SECONDS and not any(
            t.done() for t in self._tasks
        )

    async def _pass(self, key: Key) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._reconciler.reconcile, key)

    async def _relist_forever(self) -> None:
        """Lists heal what a broken watch missed; the first one also says that the API server answers."""
        while True:
            try:
                for kind in (KIND, *(known.kind for known in WATCHED_CHILDREN)):
                    selector = "" if kind == KIND else CHILD_SELECTOR
                    for namespace in self._namespaces:
                        listed = await asyncio.to_thread(self._cluster.list, kind, namespace, selector)
                        for key in self.store.replace(kind, listed, namespace):
                            self.queue.add(key)
                self.synced = True
                wait = float(_RELIST_SECONDS)
            except Exception as error:  # tried again: a dead API server must not end the operator
                log.error("cannot list: %s", error)
                wait = 5.0
            await asyncio.sleep(wait)


def _log_failure(key: Key, error: Exception, delay: float) -> None:
    log.warning("pass over %s/%s failed, next try in %.1f s: %s", *key, delay, error)


class ConditionMetrics(Collector):
    """sentiment_operator_objects{condition,status}: how many SentimentServices say what."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> list[GaugeMetricFamily]:
        """Counted when asked: no state to keep right."""
        counts: dict[tuple[str, str], int] = {}
        for obj in self._store.services():
            for condition in obj.get("status", {}).get("conditions", ()):
                at = (condition["type"], condition["status"])
                counts[at] = counts.get(at, 0) + 1
        family = GaugeMetricFamily(
            "sentiment_operator_objects", "SentimentServices by condition", labels=["condition", "status"]
        )
        for labels, count in sorted(counts.items()):
            family.add_metric(labels, count)
        return [family]
