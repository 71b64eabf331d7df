"""One operator behind the proxy, in a namespace of its own: makes transitions and tells where they end."""

import asyncio
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sentiment_operator.api.kinds import CHILDREN
from sentiment_operator.api.v1alpha1 import API_VERSION, GROUP, KIND, PLURAL, VERSION
from sentiment_operator.cluster.connection import Connection
from sentiment_operator.runtime import Options, Runtime

from .proxy import Disturbance, Fault, Lane, Proxy

Manifest = dict[str, Any]
Spec = dict[str, Any]

_PREFIX = f"/apis/{GROUP}/{VERSION}"
_QUIET = 0.35
# What no two runs have in common; everything else must be equal.
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_REPLICA_SET = re.compile(r"NAME-[0-9a-f]{6,10}\b")
# A dashboard's uid is made from the names, and two runs have different ones.
_DASHBOARD = re.compile(r"ssvc-[0-9a-f-]+")
_SERVER_MADE = ("resourceVersion", "uid", "selfLink")
_ALLOCATED = ("clusterIP", "clusterIPs", "healthCheckNodePort")


@dataclass
class Outcome:
    """Where a transition ended: the objects as masked text, and what was created and deleted on the way."""

    objects: dict[str, Any]
    applied: Counter[tuple[str, ...]] = field(default_factory=Counter)
    writes: int = 0
    # What the API server refused of the children, in the status' words.
    refusal: str = ""

    def differences(self, other: "Outcome", *, counts: bool = True) -> list[str]:
        """Sentences; none when both are the same."""
        found = []
        for name in sorted(self.objects.keys() | other.objects.keys()):
            mine, theirs = self.objects.get(name), other.objects.get(name)
            if mine != theirs:
                found.append(f"{name}: {_first_difference(mine, theirs)}")
        if counts and self.applied != other.applied:
            found.append(f"created and deleted {dict(self.applied)} instead of {dict(other.applied)}")
        return found


class World:
    """A lane: a namespace, a proxy prefix, and an operator (a new one after each kill)."""

    def __init__(
        self, proxy: Proxy, connection: Connection, name: str, *, patience: float, relist_seconds: float = 600
    ) -> None:
        self.lane = Lane(name)
        self._proxy = proxy
        self._connection = connection
        self._patience = patience
        self._relist = relist_seconds
        self._incarnation = 0
        self._reaper: asyncio.Task[None] | None = None
        self._refusal = ""

    async def __aenter__(self) -> "World":
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.lane.name}}
        status, answer = await self._proxy.admin("POST", "/api/v1/namespaces", body)
        assert status == 201, answer
        self._start()
        self._reaper = asyncio.create_task(self._raise_the_dead())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reaper
        self._reaper.cancel()
        await self.runtime.abort()
        await self._proxy.admin("DELETE", f"/api/v1/namespaces/{self.lane.name}")

    def _start(self) -> None:
        self._incarnation += 1
        server = Connection(self._proxy.url(self.lane), self._connection.tls, self.lane.name)
        self.runtime = Runtime(
            server,
            Options(
                service_image="service:1",
                model_image="models:1",
                identity=f"operator-{self._incarnation}",
                lease_namespace=self.lane.name,
                # As if the predecessor's Lease had run out already; elections have tests of their own.
                lease_name=f"operator-{self._incarnation}",
                namespaces=(self.lane.name,),
                settle_seconds=0.05,
                relist_seconds=self._relist,
                first_retry_seconds=0.05,
                pause_seconds=0.05,
            ),
        )
        self.runtime.start()

    async def _raise_the_dead(self) -> None:
        while True:
            await self.lane.killed.wait()
            self.lane.killed.clear()
            await self.runtime.abort()
            self._start()

    async def restart(self) -> None:
        """Another process takes over."""
        await self.runtime.abort()
        self._start()

    async def apply(self, name: str, spec: Spec, *, dry_run: bool = False) -> tuple[int, Any]:
        """Make a SentimentService, or replace it by one with just these fields: (status, answer)."""
        path, query = self._path(name), "fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
        for _ in range(20):
            status, found = await self._proxy.admin("GET", path)
            if status == 404:
                return await self._proxy.admin("POST", f"{path.rpartition('/')[0]}?{query}", body)
            # Not an apply: that would leave the defaults of the old spec where the new one is silent.
            status, answer = await self._proxy.admin("PUT", f"{path}?{query}", {**found, "spec": spec})
            if status != 409:  # the operator wrote the status meanwhile
                break
        return status, answer

    async def delete(self, name: str) -> None:
        """Delete it; Kubernetes deletes what it owns."""
        await self._proxy.admin("DELETE", self._path(name))

    async def delete_deployment(self, name: str) -> None:
        """Delete a child by hand."""
        path = f"/apis/apps/v1/namespaces/{self.lane.name}/deployments/{name}"
        await self._proxy.admin("DELETE", path)

    async def settled(self, name: str, *, same_as: Outcome | None = None, exact: bool = True) -> Outcome:
        """The state when nothing moves any more; given an outcome, waits (so long) for just that."""
        deadline = time.monotonic() + self._patience
        before: dict[str, Any] | None = None
        while True:
            await self._quiet(deadline)
            writes = self.lane.writes
            objects, calm = await self._observe(name, exact)
            applied = Counter(
                {(*what, obj.replace(name, "NAME")): n for (*what, obj), n in self.lane.applied.items()}
            )
            found = Outcome(objects, applied, writes, self._refusal)
            late = time.monotonic() > deadline
            if same_as is not None:
                if late or not same_as.differences(found, counts=False):
                    return found
            elif late or (calm and objects == before and self.lane.writes == writes):
                return found
            before = objects
            await asyncio.sleep(0.15)

    async def _quiet(self, deadline: float) -> None:
        """No writes for a while, and none about to be made."""
        while time.monotonic() < deadline:
            self.lane.written.clear()
            try:
                async with asyncio.timeout(_QUIET):
                    await self.lane.written.wait()
            except TimeoutError:
                runtime = self.runtime
                if runtime.election.leading and runtime.queue.idle(within=0.1):
                    return
                await asyncio.sleep(0.02)

    async def _observe(self, name: str, exact: bool) -> tuple[dict[str, Any], bool]:
        """(masked objects, whether Kubernetes' own controllers are done)."""
        status, owner = await self._proxy.admin("GET", self._path(name))
        if status == 404:
            owner = {"metadata": {}}
        uid = owner["metadata"].get("uid", "none")
        objects: dict[str, Any] = {}
        calm = True
        self._refusal = next(
            (
                condition["message"]
                for condition in owner.get("status", {}).get("conditions", ())
                if condition["reason"] == "ApplyFailed"
            ),
            "",
        )
        if "uid" in owner["metadata"]:
            objects[KIND] = _masked(owner, name, self.lane.name, uid, exact)
        for kind in CHILDREN:
            if kind.optional:
                continue
            path = f"{kind.prefix}/namespaces/{self.lane.name}/{kind.plural}"
            for item in (await self._proxy.admin("GET", path))[1]["items"]:
                if item["metadata"]["name"].startswith(name):
                    if kind.kind == "Deployment":
                        calm &= _rolled_out(item)
                    masked = _masked(item, name, self.lane.name, uid, exact)
                    if kind.kind == "Deployment" and "replicas" not in owner.get("spec", {}) and not exact:
                        _without_number(masked)
                    objects[f"{kind.kind}/{masked['metadata']['name']}"] = masked
        return objects, calm and not (objects and KIND not in objects)

    def _path(self, name: str) -> str:
        return f"{_PREFIX}/namespaces/{self.lane.name}/{PLURAL}/{name}"


async def transition(
    world: World,
    name: str,
    before: Spec | None,
    after: Spec | None,
    *,
    fault: tuple[Fault, int] | None = None,
    disturbance: Disturbance | None = None,
    expected: Outcome | None = None,
    exact: bool = True,
    by_hand: bool = False,
) -> tuple[Outcome, bool]:
    """Go from one spec to another (None: no object) under a fault: (where it ended, whether it was hit).

    by_hand: meanwhile somebody deletes the Deployment.
    """
    lane = world.lane
    lane.begin(name)
    if before is not None:
        status, answer = await world.apply(name, before)
        assert status < 300, answer
        await world.settled(name)
    lane.begin(name)
    if fault:
        lane.fault, lane.at_write = fault
    lane.disturbance = disturbance
    if disturbance is Disturbance.STALE_LISTS:
        await world.restart()
    if after is None:
        await world.delete(name)
    else:
        status, answer = await world.apply(name, after)
        assert status < 300, answer
    if by_hand:
        await world.delete_deployment(name)
    if disturbance:
        await (lane.all_listed() if disturbance is Disturbance.SILENCED else asyncio.sleep(1.0))
        lane.disturbance = None
    ended = await world.settled(name, same_as=expected, exact=exact)
    hit = lane.hit
    writes = lane.writes
    await asyncio.sleep(_QUIET)
    if lane.writes != writes:
        ended.objects["after quiescence"] = f"{lane.writes - writes} more writes"
    await world.delete(name)
    return ended, hit


def _rolled_out(deployment: Manifest) -> bool:
    status = deployment.get("status", {})
    wanted = deployment["spec"]["replicas"]
    return bool(
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("replicas", 0) == status.get("updatedReplicas", 0) == wanted
    )


def _masked(obj: Manifest, name: str, namespace: str, owner_uid: str, exact: bool) -> Any:
    """An object without what differs from run to run; not exact: also without the history of its changes."""
    obj = json.loads(json.dumps(obj))
    meta = obj["metadata"]
    for gone in _SERVER_MADE:
        meta.pop(gone, None)
    if not exact:
        meta.pop("generation", None)
        # How many templates there were before.
        meta.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
        if obj.get("kind") == KIND:
            # Without nodes a roll-out gets stuck, and where depends on where it began.
            obj["status"] = {name: obj.get("status", {}).get(name) for name in ("url", "selector")}
    if not meta.get("annotations"):
        meta.pop("annotations", None)
    if obj.get("kind") != KIND:
        obj.pop("status", None)  # written by Kubernetes' controllers
    for gone in _ALLOCATED:
        obj.get("spec", {}).pop(gone, None)
    for port in obj.get("spec", {}).get("ports", ()):
        if isinstance(port, dict):
            port.pop("nodePort", None)
    entries = meta.pop("managedFields", [])
    # Who owns which fields is part of the outcome, as far as it is ours.
    meta["managedFields"] = {
        f"{entry['operation']} {entry.get('subresource')}": entry["fieldsV1"]
        for entry in entries
        if entry["manager"] == "sentiment-operator"
    }
    text = json.dumps(obj, sort_keys=True).replace(owner_uid, "OWNER").replace(namespace, "NAMESPACE")
    text = re.sub(rf"\b{re.escape(name)}\b", "NAME", text)
    text = _DASHBOARD.sub("DASHBOARD", _TIMES.sub("TIME", text))
    return json.loads(_REPLICA_SET.sub("REPLICASET", text))


def _without_number(deployment: Manifest) -> None:
    """An autoscaler begins with the number that it finds."""
    deployment["spec"].pop("replicas", None)
    for fields in deployment["metadata"]["managedFields"].values():
        fields.get("f:spec", {}).pop("f:replicas", None)


def _first_difference(one: Any, other: Any, path: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                return _first_difference(one.get(name), other.get(name), f"{path}.{name}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            if mine != theirs:
                return _first_difference(mine, theirs, f"{path}[{index}]")
    return f"{path or 'the whole object'}: {str(one)[:200]} instead of {str(other)[:200]}"
