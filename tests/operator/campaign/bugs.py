"""Bugs put into the operator on purpose: mistakes that operators were seen to make."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sentiment_operator.api.v1alpha1 import Owner
from sentiment_operator.cluster import reflector
from sentiment_operator.cluster.client import Cluster
from sentiment_operator.cluster.http import ApiError
from sentiment_operator.reconcile import queue, reconciler, store
from sentiment_operator.reconcile.diff import _missing


def _trusts_its_memory(patch: pytest.MonkeyPatch) -> None:
    """ "I handled this generation already": noted before the work is done."""
    original = reconciler.Reconciler.reconcile

    async def reconcile(self: Any, key: Any) -> float | None:
        wanted = self._store.get(*key)
        seen = self.__dict__.setdefault("handled", {})
        mark = wanted and (wanted["metadata"]["uid"], wanted["metadata"]["generation"])
        if wanted and seen.get(key) == mark and not wanted.get("status"):
            return None
        seen[key] = mark
        return await original(self, key)

    patch.setattr(reconciler.Reconciler, "reconcile", reconcile)


def _never_tries_again(patch: pytest.MonkeyPatch) -> None:
    async def passed(self: Any, key: Any) -> None:
        try:
            await self._work(key)
        except Exception as error:
            self._failed(key, error, 0.0)
        finally:
            del self._running[key], self._started[key]
            self._wake.set()

    patch.setattr(queue.KeyedQueue, "_pass", passed)


def _takes_a_refusal_for_success(patch: pytest.MonkeyPatch) -> None:
    original = Cluster._write

    async def write(self: Any, verb: str, kind: str, path: str, body: Any, *rest: Any, **more: Any) -> Any:
        try:
            return await original(self, verb, kind, path, body, *rest, **more)
        except ApiError as error:
            if error.code != 429:
                raise
            meta = {"uid": "none", "resourceVersion": "1", **body["metadata"]}
            return {**body, "metadata": {**meta, "managedFields": []}}

    patch.setattr(Cluster, "_write", write)


def _writes_status_first(patch: pytest.MonkeyPatch) -> None:
    """The status says that it is done, and who comes next believes it."""
    original = reconciler.Reconciler.reconcile

    async def reconcile(self: Any, key: Any) -> float | None:
        wanted = self._store.get(*key)
        if wanted is None or wanted["metadata"].get("deletionTimestamp"):
            return reconciler.NEVER
        if wanted.get("status", {}).get("observedGeneration") == wanted["metadata"]["generation"]:
            return None
        owner = Owner(kind=key[0], name=key[2], namespace=key[1], uid=wanted["metadata"]["uid"])
        spec = self._subjects[owner.kind].parse(wanted.get("spec", {}))
        await self._report(owner, wanted, spec, [])
        return await original(self, key)

    patch.setattr(reconciler.Reconciler, "reconcile", reconcile)


def _keeps_what_was_taken_back(patch: pytest.MonkeyPatch) -> None:
    def differences(desired: Any, observed: Any, _: str) -> list[str]:
        return _missing(desired, observed, "", "")

    patch.setattr(reconciler, "differences", differences)


def _believes_its_cache_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.Store, "keep_only", lambda *_: frozenset())


def _resumes_where_nothing_is_left(patch: pytest.MonkeyPatch) -> None:
    """410: goes on from now instead of listing what was missed."""
    original = reflector.Reflector._list

    async def listed(self: Any) -> str:
        if self.synced.is_set():
            async for _, version in self._cluster.pages(self.kind, self.namespace, self._selector):
                return str(version)
        return await original(self)

    patch.setattr(reflector.Reflector, "_list", listed)


def _takes_a_conflict_for_gone(patch: pytest.MonkeyPatch) -> None:
    original = reconciler.Reconciler._report

    async def report(*arguments: Any) -> None:
        with suppress(reconciler.OutdatedCacheError):
            await original(*arguments)

    patch.setattr(reconciler.Reconciler, "_report", report)


BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "trusts its memory": _trusts_its_memory,
    "never tries again": _never_tries_again,
    "takes a refusal for success": _takes_a_refusal_for_success,
    "writes the status first": _writes_status_first,
    "keeps what was taken back": _keeps_what_was_taken_back,
    "believes its cache for ever": _believes_its_cache_for_ever,
    "resumes where nothing is left": _resumes_where_nothing_is_left,
    "takes a conflict for gone": _takes_a_conflict_for_gone,
}
