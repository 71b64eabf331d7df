"""One pass: observe, render, compare, apply what differs, prune, status last."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic import ValidationError

from ..api.kinds import CHILDREN
from ..api.v1alpha1 import API_VERSION, KIND, Owner, SentimentServiceSpec
from ..cluster.client import ApiError
from ..render import Children, Surroundings, render
from ..render.metadata import MANAGER, labels
from .conditions import Finding, Observed
from .diff import differences
from .status import compute_status, transition
from .store import Key, Store

Manifest = dict[str, Any]
log = logging.getLogger(__name__)

CHILD_KINDS = tuple(known.kind for known in CHILDREN)


class Api(Protocol):
    """What a pass needs of the API server; every call may raise ApiError."""

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, or None."""

    def apply(self, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Server-side apply; what the server holds then."""

    def delete(self, manifest: Manifest) -> None:
        """Delete exactly this object."""

    def record_event(self, owner: Manifest, event_type: str, reason: str, message: str, now: str) -> None:
        """An Event about a SentimentService."""


class IncompletePassError(Exception):
    """A pass did all that it could, and something is left to do."""


def _utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reconciler:
    """Holds nothing between passes but the store that the watches fill."""

    def __init__(
        self,
        api: Api,
        store: Store,
        service_image: str,
        apis: Callable[[], frozenset[str]],
        now: Callable[[], str] = _utc_now,
    ) -> None:
        """apis: what the cluster offers now, in the words of api.kinds."""
        self._api = api
        self._store = store
        self._image = service_image
        self._apis = apis
        self._now = now

    def reconcile(self, key: Key) -> None:
        """Make the cluster as the SentimentService says; raises when it has to be tried again."""
        namespace, name = key
        wanted = self._store.get(KIND, namespace, name)
        if wanted is None or wanted["metadata"].get("deletionTimestamp"):
            return
        owner = Owner(name=name, namespace=namespace, uid=wanted["metadata"]["uid"])
        problems: list[Finding] = []
        spec: SentimentServiceSpec | None = None
        try:
            spec = SentimentServiceSpec.model_validate(wanted.get("spec", {}))
        except ValidationError as error:
            problems.append(Finding("InvalidSpec", _words(error)))
        if spec:
            desired = render(owner, spec, self._surroundings(owner))
            for manifest in desired.apply:
                if problem := self._ensure(owner, manifest):
                    problems.append(problem)
            problems += self._prune(owner, desired)
        self._report(owner, wanted, spec, problems)
        # An invalid spec waits for its next event; a foreign object that is in the way sends none.
        if spec and problems:
            raise IncompletePassError(problems[0].message)

    def _surroundings(self, owner: Owner) -> Surroundings:
        """Raises ApiError: nothing can be decided while it is unknown whether there is a Deployment."""
        made = self._store.get("Deployment", owner.namespace, owner.name)
        # Not seen is not absent: a watch may lag.
        made = made or self._api.get("Deployment", owner.namespace, owner.name)
        return Surroundings(self._image, self._apis(), made)

    def _ensure(self, owner: Owner, manifest: Manifest) -> Finding | None:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        observed = self._store.get(kind, owner.namespace, name)
        try:
            if observed is None:  # not seen is not absent: a watch may lag, or the object is not ours
                observed = self._api.get(kind, owner.namespace, name)
            if observed is None:
                fields = ["all of it"]
            elif not _is_ours(owner, observed):
                message = (
                    f"{kind} {name} exists and does not belong to this SentimentService: "
                    "delete or rename one of them."
                )
                return Finding("NameTaken", message)
            elif observed["metadata"].get("deletionTimestamp"):
                self._store.put(observed)
                return None  # its last event brings the next pass
            else:
                self._store.put(observed)
                fields = differences(manifest, observed, MANAGER)
            if fields:
                log.info("apply %s %s/%s: %s", kind, owner.namespace, name, ", ".join(fields))
                self._store.put(self._api.apply(manifest))
        except ApiError as error:
            return Finding("ApplyFailed", f"{kind} {name}: {error}")
        return None

    def _prune(self, owner: Owner, desired: Children) -> list[Finding]:
        wanted = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in desired.apply}
        wanted |= desired.keep
        problems = []
        for kind in CHILD_KINDS:
            for child in self._store.of((owner.namespace, owner.name), kind):
                meta = child["metadata"]
                if (
                    (kind, meta["name"]) in wanted
                    or meta.get("deletionTimestamp")
                    or not _owned(owner, child)
                ):
                    continue
                try:
                    log.info("delete %s %s/%s: no longer wanted", kind, owner.namespace, meta["name"])
                    self._api.delete(child)
                except ApiError as error:
                    problems.append(Finding("ApplyFailed", f"{kind} {meta['name']}: {error}"))
        return problems

    def _report(
        self, owner: Owner, wanted: Manifest, spec: SentimentServiceSpec | None, problems: list[Finding]
    ) -> None:
        key = (owner.namespace, owner.name)
        mine = [
            child for kind in CHILD_KINDS for child in self._store.of(key, kind) if _is_ours(owner, child)
        ]
        seen = Observed(
            spec=spec,
            children={child["kind"]: child for child in mine},
            pods=self._store.of(key, "Pod"),
            problems=problems,
            apis=self._apis(),
        )
        previous = wanted.get("status", {})
        status = compute_status(owner, wanted["metadata"]["generation"], seen, previous, self._now())
        if status == previous:
            return
        manifest = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            # The uid: never write to another object of the same name.
            "metadata": {"name": owner.name, "namespace": owner.namespace, "uid": owner.uid},
            "status": status,
        }
        try:
            self._store.put(self._api.apply(manifest, subresource="status"))
        except ApiError as error:
            if error.code in (404, 409):  # deleted, or made anew, since it was seen
                return
            raise
        if changed := transition(previous, status):
            try:
                self._api.record_event(wanted, *changed, now=self._now())
            except ApiError as error:  # the status says it too
                log.warning("no Event for %s/%s: %s", owner.namespace, owner.name, error)


def _owned(owner: Owner, child: Manifest) -> bool:
    return any(reference["uid"] == owner.uid for reference in child["metadata"].get("ownerReferences", ()))


def _is_ours(owner: Owner, child: Manifest) -> bool:
    """Owned by this very object, or one that `retain` left behind under our labels."""
    meta = child["metadata"]
    if references := meta.get("ownerReferences"):
        return any(reference["uid"] == owner.uid for reference in references)
    return bool(labels(owner).items() <= (meta.get("labels") or {}).items())


def _words(error: ValidationError) -> str:
    return "; ".join(
        f"spec.{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
    )
