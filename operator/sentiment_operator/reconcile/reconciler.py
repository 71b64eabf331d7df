"""One pass: observe, render, compare, apply what differs, prune, status last."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic import ValidationError

from ..api.kinds import CHILDREN
from ..api.v1alpha1 import API_VERSION, Owner
from ..cluster.http import ApiError
from ..render import Children
from ..render.metadata import MANAGER
from .conditions import Finding
from .diff import differences
from .ownership import is_ours, owned
from .status import transition
from .store import Key, Store

Manifest = dict[str, Any]
log = logging.getLogger(__name__)

CHILD_KINDS = tuple(known.kind for known in CHILDREN)


NEVER = float("inf")
_NOT_FOUND, _CONFLICT = 404, 409


class Api(Protocol):
    """What a pass needs of the API server; every call may raise ApiError."""

    async def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, or None."""

    async def create(self, manifest: Manifest) -> Manifest:
        """Server-side apply of what must not exist yet; ApiError 409 if it does."""

    async def apply(self, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Server-side apply; what the server holds then."""

    async def delete(self, manifest: Manifest) -> None:
        """Delete exactly this object; ApiError 409 if it is not the one that was seen."""

    async def record_event(
        self, owner: Manifest, event_type: str, reason: str, message: str, now: str
    ) -> None:
        """An Event about a service or model."""


class Subject(Protocol):
    """A kind that is reconciled: what its spec means, and how it is told. Reads the store, writes nothing."""

    def parse(self, spec: Manifest) -> Any:
        """The typed spec; raises ValidationError."""

    def render(self, owner: Owner, spec: Any, wanted: Manifest) -> Children:
        """All children."""

    async def status(
        self, owner: Owner, spec: Any | None, wanted: Manifest, problems: list[Finding], now: str
    ) -> Manifest:
        """The whole status after a pass; spec: None when it could not be parsed."""

    def again(self, owner: Owner, spec: Any) -> float | None:
        """After how many seconds another pass is wanted although nothing may change; None: not."""

    def concerns_others(self, before: Manifest, after: Manifest) -> bool:
        """Whether other objects' passes read what changed in the status."""


class IncompletePassError(Exception):
    """A pass did all that it could, and something is left to do."""


class OutdatedCacheError(Exception):
    """The cluster is not as the watches said: the pass begins again with what is known now."""


def _utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reconciler:
    """Holds nothing between passes but the store that the watches fill."""

    def __init__(
        self,
        api: Api,
        store: Store,
        subjects: Mapping[str, Subject],
        *,
        wake: Callable[[Key], None],
        settle_seconds: float = 1.0,
        now: Callable[[], str] = _utc_now,
    ) -> None:
        """subjects: by kind; wake: asks for a pass.

        settle_seconds: a first status is written that long after the children were made, so that it tells
        what became of them and needs no second write.
        """
        self._api = api
        self._store = store
        self._subjects = subjects
        self._wake = wake
        self._settle = settle_seconds
        self._now = now

    async def reconcile(self, key: Key) -> float | None:
        """Make the cluster as the object says; raises when it has to be tried again.

        Returns after how many seconds another pass is wanted; None: when something changes.
        """
        kind, namespace, name = key
        wanted = self._store.get(*key)
        if wanted is None or wanted["metadata"].get("deletionTimestamp"):
            return NEVER
        subject = self._subjects[kind]
        owner = Owner(kind=kind, name=name, namespace=namespace, uid=wanted["metadata"]["uid"])
        problems: list[Finding] = []
        spec: Any | None = None
        created = False
        try:
            spec = subject.parse(wanted.get("spec", {}))
        except ValidationError as error:
            problems.append(Finding("InvalidSpec", _words(error)))
        if spec:
            desired = subject.render(owner, spec, wanted)
            created = any(
                self._store.get(manifest["kind"], namespace, manifest["metadata"]["name"]) is None
                for manifest in desired.apply
            )
            if created and wanted.get("status"):  # so they were made before
                await self._confirm(owner, wanted)
            for manifest in desired.apply:
                if problem := await self._ensure(owner, manifest):
                    problems.append(problem)
            problems += await self._prune(owner, wanted, desired)
        if created and not problems and not wanted.get("status"):
            return self._settle
        await self._report(owner, wanted, spec, problems)
        # An invalid spec waits for its next event; a foreign object that is in the way sends none.
        if spec and problems:
            raise IncompletePassError(problems[0].message)
        # What was made just now may be what others wait for, and its own event was the answer.
        if created:
            return self._settle
        return subject.again(owner, spec) if spec else None

    async def _ensure(self, owner: Owner, manifest: Manifest) -> Finding | None:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        observed = self._store.get(kind, owner.namespace, name)
        try:
            if observed is None:
                log.info("create %s %s/%s", kind, owner.namespace, name)
                self._store.put(await self._api.create(manifest))
                return None
            if not is_ours(owner, observed):
                return _name_taken(owner, kind, name)
            if observed["metadata"].get("deletionTimestamp"):
                return None  # its last event brings the next pass
            if fields := differences(manifest, observed, MANAGER):
                log.info("apply %s %s/%s: %s", kind, owner.namespace, name, ", ".join(fields))
                # The uid: what was deleted meanwhile is made anew by the next pass, as a creation.
                self._store.put(await self._api.apply(_of(observed, manifest)))
        except ApiError as error:
            if error.code == _CONFLICT:
                return await self._look(owner, kind, name)
            return Finding("ApplyFailed", f"{kind} {name}: {error}")
        return None

    async def _look(self, owner: Owner, kind: str, name: str) -> Finding:
        """The watch was wrong about an object of that name: it lags, or the object is not ours."""
        found = await self._api.get(kind, owner.namespace, name)
        if found and not is_ours(owner, found):
            return _name_taken(owner, kind, name)
        if found:
            self._store.put(found)
        raise OutdatedCacheError(f"{kind} {name} was changed meanwhile")

    async def _prune(self, owner: Owner, wanted: Manifest, desired: Children) -> list[Finding]:
        names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in desired.apply}
        names |= desired.keep
        doomed = [
            child
            for kind in CHILD_KINDS
            for child in self._store.of((owner.kind, owner.namespace, owner.name), kind)
            if (kind, child["metadata"]["name"]) not in names
            and not child["metadata"].get("deletionTimestamp")
            and owned(owner, child)
        ]
        problems = []
        if doomed:
            await self._confirm(owner, wanted)
        for child in doomed:
            kind, name = child["kind"], child["metadata"]["name"]
            try:
                log.info("delete %s %s/%s: no longer wanted", kind, owner.namespace, name)
                await self._api.delete(child)
            except ApiError as error:
                if error.code == _CONFLICT:
                    raise OutdatedCacheError(f"{kind} {name} was changed meanwhile") from error
                problems.append(Finding("ApplyFailed", f"{kind} {name}: {error}"))
        return problems

    async def _confirm(self, owner: Owner, wanted: Manifest) -> None:
        """Nothing is deleted or made anew by the cache's word alone: the server is asked."""
        now = await self._api.get(owner.kind, owner.namespace, owner.name)
        if now is None or any(
            now["metadata"][field] != wanted["metadata"][field] for field in ("uid", "generation")
        ):
            if now:
                self._store.put(now)
            else:
                self._store.drop(wanted)
            raise OutdatedCacheError(f"the {owner.kind} was changed or deleted meanwhile")

    async def _report(
        self, owner: Owner, wanted: Manifest, spec: Any | None, problems: list[Finding]
    ) -> None:
        subject, previous = self._subjects[owner.kind], wanted.get("status", {})
        status = await subject.status(owner, spec, wanted, problems, self._now())
        if status == previous:
            return
        manifest = {
            "apiVersion": API_VERSION,
            "kind": owner.kind,
            # The uid: never write to another object of the same name.
            "metadata": {"name": owner.name, "namespace": owner.namespace, "uid": owner.uid},
            "status": status,
        }
        try:
            concerned = self._store.put(await self._api.apply(manifest, subresource="status"))
        except ApiError as error:
            if error.code in (_NOT_FOUND, _CONFLICT):
                raise OutdatedCacheError(f"the {owner.kind} was deleted, made anew or changed") from error
            raise
        if subject.concerns_others(previous, status):
            for key in concerned - {(owner.kind, owner.namespace, owner.name)}:
                self._wake(key)
        if changed := transition(previous, status):
            try:
                await self._api.record_event(wanted, *changed, now=self._now())
            except ApiError as error:  # the status says it too
                log.warning("no Event for %s %s/%s: %s", owner.kind, owner.namespace, owner.name, error)


def _name_taken(owner: Owner, kind: str, name: str) -> Finding:
    message = f"{kind} {name} exists and does not belong to this {owner.kind}: delete or rename one of them."
    return Finding("NameTaken", message)


def _of(observed: Manifest, manifest: Manifest) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "uid": observed["metadata"]["uid"]}}


def _words(error: ValidationError) -> str:
    return "; ".join(
        f"spec.{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
    )
