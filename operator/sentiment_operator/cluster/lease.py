"""Who of several operators may write: leader election over a Lease, by the algorithm of client-go.

A holder renews the Lease. Others watch it, and take it when it was given back, or when they have not seen it
change for as long as it lasts, by their own clocks: clocks of different machines are never compared. To miss
an event does no harm: a claim names the version that was seen last. The holder counts from when it *sent* its
last successful renewal, and stops writing some seconds before anyone may take over.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .http import ApiError, Http

Manifest = dict[str, Any]
log = logging.getLogger(__name__)

_CONFLICT, _NOT_FOUND = 409, 404
_GROUP = "/apis/coordination.k8s.io/v1"


def clock() -> float:
    """Seconds; goes on while the process is stopped or the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Terms:
    """lease_seconds: how long others wait; renew_seconds: how long a holder writes after its last renewal.

    Between the two lies the longest that a write may be under way (client.WRITE_SECONDS).
    """

    lease_seconds: int = 12
    renew_seconds: float = 8.0
    retry_seconds: float = 2.5


class Election:
    """One candidate."""

    def __init__(
        self,
        http: Http,
        namespace: str,
        name: str,
        identity: str,
        terms: Terms,
        changed: Callable[[bool], None],
    ) -> None:
        """changed: called with whether this candidate leads, when that changes."""
        self.leading = False
        self.holder = ""
        self.moved_at = time.monotonic()
        self._http = http
        self._path = f"{_GROUP}/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._terms = terms
        self._changed = changed
        self._seen: Manifest | None = None
        self._seen_at = 0.0
        self._lasts = 0
        self._renewed_at = float("-inf")

    def may_write(self) -> bool:
        """Whether nobody else can have taken the Lease, nor will while a write is under way."""
        return self.leading and clock() < self._renewed_at + self._terms.renew_seconds

    async def run(self) -> None:
        """Stand, hold, lose and stand again, until cancelled."""
        while True:
            self.moved_at = time.monotonic()
            won = await self._try()
            if won and not self.leading:
                log.info("%s leads now", self._identity)
                self._set(True)
            elif self.leading and not won and (self.holder != self._identity or not self.may_write()):
                log.warning("%s no longer leads: the Lease was not renewed", self._identity)
                self._set(False)
            if self.leading:
                await asyncio.sleep(self._terms.retry_seconds)
            else:
                await self._stand_by()

    async def release(self) -> None:
        """Give the Lease back, so that another takes it at once. Nothing may be written after this."""
        if not self.leading or not self._seen:
            return
        self._set(False)
        freed = self._record("", self._seen, lease_seconds=1)
        try:
            await self._put(freed)
        except ApiError as error:
            log.warning("the Lease was not given back: %s", error)

    def _set(self, leading: bool) -> None:
        self.leading = leading
        self._changed(leading)

    async def _stand_by(self) -> None:
        """Wait until the Lease may be had: given back, deleted, or not renewed for as long as it lasts."""
        # Spread, as several candidates may ask.
        pause = self._terms.retry_seconds * random.uniform(0.9, 1.2)
        if self._seen and self._taken():
            try:
                await self._watch(self._seen["metadata"]["resourceVersion"])
            except ApiError as error:
                if error.code:  # else silence, which is how a holder's end shows
                    log.warning("the Lease can't be watched: %s", error)
            pause = min(pause, self._left())
        await asyncio.sleep(pause)

    async def _watch(self, version: str) -> None:
        """Returns when the Lease may be had or has to be looked at; raises ApiError, also after silence."""
        query = [
            ("watch", "true"),
            ("fieldSelector", f"metadata.name={self._name}"),
            ("resourceVersion", version),
        ]
        events = self._http.stream("Lease", self._path, query, silence_seconds=self._lasts)
        async with aclosing(events):
            async for event in events:
                self.moved_at = time.monotonic()
                if event["type"] != "MODIFIED":
                    return
                self._note(event["object"])
                if not self._taken():
                    return

    async def _try(self) -> bool:
        """Take or renew the Lease; whether this candidate holds it."""
        try:
            # A holder knows what it wrote last; anybody else looks.
            if not self.leading:
                await self._look()
            return await self._claim() or await self._claim()
        except ApiError as error:
            log.warning("the Lease can't be had: %s", error)
            return False

    async def _claim(self) -> bool:
        """One attempt; when the Lease is not what it was thought to be, it is looked at for the next."""
        if self._taken():
            return False
        started = clock()
        wanted = self._record(self._identity, self._seen)
        try:
            self._note(await (self._put(wanted) if self._seen else self._post(wanted)))
        except ApiError as error:
            if error.code not in (_CONFLICT, _NOT_FOUND):
                raise
            await self._look()
            return False
        self._renewed_at = started
        return True

    async def _look(self) -> None:
        try:
            found = await self._call("GET", f"{self._path}/{self._name}")
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            # Deleted by hand: whoever held it goes on writing until it notices.
            self._seen = None
            return
        self._note(found)

    def _note(self, lease: Manifest) -> None:
        if (
            self._seen is None
            or self._seen["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]
        ):
            self._seen, self._seen_at = lease, clock()
        self.holder = lease["spec"].get("holderIdentity") or ""
        self._lasts = lease["spec"].get("leaseDurationSeconds") or self._terms.lease_seconds

    def _taken(self) -> bool:
        return self._left() > 0

    def _left(self) -> float:
        """Seconds for which the Lease is another's."""
        free = self.holder in ("", self._identity)
        return 0.0 if free else max(0.0, self._seen_at + self._lasts - clock())

    def _record(self, holder: str, before: Manifest | None, lease_seconds: int = 0) -> Manifest:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        old = (before or {}).get("spec", {})
        same = old.get("holderIdentity") == holder
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                **({"resourceVersion": before["metadata"]["resourceVersion"]} if before else {}),
            },
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": lease_seconds or self._terms.lease_seconds,
                "acquireTime": old["acquireTime"] if same and old.get("acquireTime") else now,
                "renewTime": now,
                "leaseTransitions": (old.get("leaseTransitions") or 0) + (0 if same or not holder else 1),
            },
        }

    async def _put(self, lease: Manifest) -> Manifest:
        return await self._call("PUT", f"{self._path}/{self._name}", lease)

    async def _post(self, lease: Manifest) -> Manifest:
        return await self._call("POST", self._path, lease)

    async def _call(self, verb: str, path: str, body: Manifest | None = None) -> Manifest:
        # Twice in the time that renewals may fail for.
        seconds = self._terms.renew_seconds / 2 - 0.5
        return await self._http.call(verb, "Lease", path, body, seconds=seconds)
