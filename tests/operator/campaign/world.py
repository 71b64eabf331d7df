"""One operator behind the proxy, in a namespace of its own: makes transitions and tells where they end."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sentiment_operator.api.kinds import CHILDREN
from sentiment_operator.api.v1alpha1 import (
    API_VERSION,
    GROUP,
    KIND,
    MODEL_KIND,
    MODEL_PLURAL,
    PLURAL,
    VERSION,
)
from sentiment_operator.runtime import Options

from .outcome import Outcome, masked, masked_name, without_number
from .process import OperatorProcess
from .proxy import Disturbance, Fault, Lane, Proxy

Manifest = dict[str, Any]
Spec = dict[str, Any]

# Models that workloads may refer to.
MODELS = ("first", "second")
_REPORT = {"phase": "Succeeded", "name": "mine", "digest": f"sha256:{'ab' * 32}", "precision": "int8"}
_ENDED = {"terminated": {"exitCode": 0, "message": json.dumps(_REPORT)}}
_CONTAINER = {"name": "prepare", "image": "models:1", "imageID": "", "ready": False, "restartCount": 0}
_PREPARED = {"status": {"phase": "Succeeded", "containerStatuses": [{**_CONTAINER, "state": _ENDED}]}}
_PLURALS = {KIND: PLURAL, MODEL_KIND: MODEL_PLURAL}
_PREFIX = f"/apis/{GROUP}/{VERSION}"
_QUIET = 0.35
# Nothing has moved for so long: it is the end, also where it can't be told from a pause.
_STILL = 6.0
# Seconds until an end without a fault is given up: all else is measured by it, and machines may be slow.
_UNTIL_KNOWN = 120.0


@dataclass(frozen=True)
class Workload:
    """A change of a SentimentService or a SentimentModel; None stands for no object."""

    name: str
    before: Spec | None
    after: Spec | None
    # Somebody deletes the Deployment meanwhile.
    by_hand: bool = False
    kind: str = KIND

    @property
    def refers_to_models(self) -> bool:
        """Whether prepared models must be there."""
        return any("modelRef" in (spec or {}).get("model", {}) for spec in (self.before, self.after))


class World:
    """A lane: a namespace, a proxy prefix, and an operator (a new one after each kill)."""

    def __init__(
        self, proxy: Proxy, name: str, *, patience: float, relist_seconds: float = 600, bug: str = ""
    ) -> None:
        self.lane = Lane(name, kill=self._kill)
        self._proxy = proxy
        self._bug = bug
        self._patience = patience
        self._relist = relist_seconds
        self._incarnation = 0
        self._reaper: asyncio.Task[None] | None = None
        self._refusal = ""
        # Folder in the volume, by the name of a model that services may be given.
        self._packages: dict[str, str] = {}

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
        await self._end()
        await self._proxy.admin("DELETE", f"/api/v1/namespaces/{self.lane.name}")

    def _start(self) -> None:
        self._incarnation += 1
        self._operator = OperatorProcess(
            self._proxy.url(self.lane),
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
            self._bug,
        )

    async def _raise_the_dead(self) -> None:
        while True:
            await self.lane.killed.wait()
            self.lane.killed.clear()
            await self.restart()

    def _kill(self) -> None:
        self._operator.kill()
        self.lane.killed.set()

    async def _end(self) -> None:
        self._operator.kill()
        await self._operator.gone()

    async def restart(self) -> None:
        """Another process takes over."""
        await self._end()
        self._start()

    async def apply(
        self, name: str, spec: Spec, kind: str = KIND, *, dry_run: bool = False
    ) -> tuple[int, Any]:
        """Make an object, or replace it by one with just these fields: (status, answer)."""
        path, query = self._path(name, kind), "fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        for _ in range(20):
            status, found = await self._proxy.admin("GET", path)
            if status == 404:
                return await self._proxy.admin("POST", f"{path.rpartition('/')[0]}?{query}", body)
            # Not an apply: that would leave the defaults of the old spec where the new one is silent.
            status, answer = await self._proxy.admin("PUT", f"{path}?{query}", {**found, "spec": spec})
            if status != 409:  # the operator wrote the status meanwhile
                break
        return status, answer

    async def delete(self, name: str, kind: str = KIND) -> None:
        """Delete it; Kubernetes deletes what it owns."""
        await self._proxy.admin("DELETE", self._path(name, kind))

    async def delete_deployment(self, name: str) -> None:
        """Delete a child by hand."""
        path = f"/apis/apps/v1/namespaces/{self.lane.name}/deployments/{name}"
        await self._proxy.admin("DELETE", path)

    async def prepare_models(self) -> None:
        """Make the models that workloads refer to, once; the kubelet's part is done here."""
        for name in MODELS:
            if name not in self._packages:
                status, answer = await self.apply(name, {"source": {"bundled": {}}}, MODEL_KIND)
                assert status < 300, answer
                self._packages[name] = await self._package(name)

    async def _package(self, name: str) -> str:
        pods = f"/api/v1/namespaces/{self.lane.name}/pods"
        deadline = time.monotonic() + _UNTIL_KNOWN
        while time.monotonic() < deadline:
            _, model = await self._proxy.admin("GET", self._path(name, MODEL_KIND))
            if path := model.get("status", {}).get("package", {}).get("path"):
                return str(path)
            if job := model.get("status", {}).get("job"):
                for pod in (await self._proxy.admin("GET", f"{pods}?labelSelector=job-name={job}"))[1][
                    "items"
                ]:
                    if pod["status"]["phase"] == "Pending":
                        url = f"{pods}/{pod['metadata']['name']}/status"
                        await self._proxy.admin("PATCH", url, _PREPARED, "application/merge-patch+json")
            await asyncio.sleep(0.1)
        raise AssertionError(f"model {name} was not prepared")

    async def settled(
        self, name: str, kind: str = KIND, *, same_as: Outcome | None = None, exact: bool = True
    ) -> Outcome:
        """The state when nothing moves any more; given an outcome, waits (its patience) for just that.

        A write after that counts among the objects, unless Kubernetes' controllers gave rise to it.
        """
        changed = time.monotonic()
        deadline = changed + (self._patience if same_as else _UNTIL_KNOWN)
        before: Any = None
        while True:
            await self._quiet(deadline)
            writes = self.lane.writes
            objects, theirs, calm = await self._observe(name, kind, exact)
            applied = Counter(
                {(*what, masked_name(obj, name)): n for (*what, obj), n in self.lane.applied.items()}
            )
            found = Outcome(objects, applied, writes, self._refusal)
            now = time.monotonic()
            if now > deadline:
                return found
            if (objects, theirs, writes) != before:
                before, changed = (objects, theirs, writes), now
            elif not same_as.differences(found, counts=False) if same_as else calm or now > changed + _STILL:
                await asyncio.sleep(_QUIET)
                if (more := self.lane.writes - writes) == 0:
                    return found
                if (await self._observe(name, kind, exact))[1] == theirs:
                    found.objects["after quiescence"] = f"{more} more writes, the last: {self.lane.last}"
                    return found
            await asyncio.sleep(0.15)

    async def _quiet(self, deadline: float) -> None:
        """No writes for a while, and none about to be made."""
        while time.monotonic() < deadline:
            self.lane.written.clear()
            try:
                async with asyncio.timeout(_QUIET):
                    await self.lane.written.wait()
            except TimeoutError:
                if await self._operator.idle() and not self.lane.written.is_set():
                    return

    async def _observe(self, name: str, kind: str, exact: bool) -> tuple[dict[str, Any], Any, bool]:
        """(masked objects, what Kubernetes' controllers say, whether they are done)."""
        status, owner = await self._proxy.admin("GET", self._path(name, kind))
        if status == 404:
            owner = {"metadata": {}}
        uid = owner["metadata"].get("uid", "none")
        objects: dict[str, Any] = {}
        generation = owner["metadata"].get("generation")
        calm = owner.get("status", {}).get("observedGeneration") == generation
        # Until the operator has seen the newest spec, and while an autoscaler waits, a pause is no end.
        theirs: list[Any] = [] if calm else [time.monotonic()]
        self._refusal = next(
            (
                condition["message"]
                for condition in owner.get("status", {}).get("conditions", ())
                if condition["reason"] == "ApplyFailed"
            ),
            "",
        )
        if "uid" in owner["metadata"]:
            objects[kind] = self._masked(owner, name, uid, exact)
        kinds = [known for known in CHILDREN if not known.optional]
        paths = [f"{known.prefix}/namespaces/{self.lane.name}/{known.plural}" for known in kinds]
        answers = await asyncio.gather(*(self._proxy.admin("GET", path) for path in paths))
        # A claim that a model replaced goes with the last pod that mounts it: without nodes maybe never.
        replaced = not exact and "modelRef" in owner.get("spec", {}).get("model", {})
        for known, (_, answer) in zip(kinds, answers, strict=True):
            for item in answer["items"]:
                if item["metadata"]["name"].startswith(name):
                    if replaced and known.kind == "PersistentVolumeClaim":
                        continue
                    if known.kind in ("Deployment", "HorizontalPodAutoscaler"):
                        theirs.append(item.get("status", {}))
                    if known.kind == "Deployment":
                        calm &= _rolled_out(item)
                    if known.kind == "HorizontalPodAutoscaler" and not _measured(item):
                        theirs.append(time.monotonic())
                        calm = False
                    masked = self._masked(item, name, uid, exact)
                    if known.kind == "Deployment" and "replicas" not in owner.get("spec", {}) and not exact:
                        without_number(masked)
                    objects[f"{known.kind}/{masked['metadata']['name']}"] = masked
        return objects, theirs, calm and not (objects and kind not in objects)

    def _masked(self, obj: Manifest, name: str, owner_uid: str, exact: bool) -> Any:
        hidden = {owner_uid: "OWNER", self.lane.name: "NAMESPACE"}
        hidden |= {path: f"PACKAGE-{model}" for model, path in self._packages.items()}
        return masked(obj, name, hidden, exact)

    def _path(self, name: str, kind: str) -> str:
        return f"{_PREFIX}/namespaces/{self.lane.name}/{_PLURALS[kind]}/{name}"


async def transition(
    world: World,
    name: str,
    workload: Workload,
    *,
    fault: tuple[Fault, int] | None = None,
    disturbance: Disturbance | None = None,
    expected: Outcome | None = None,
    exact: bool = True,
) -> tuple[Outcome, bool]:
    """Do the workload under a fault: (where it ended, whether it was hit)."""
    lane, kind = world.lane, workload.kind
    lane.begin("")
    if workload.refers_to_models:
        await world.prepare_models()
    lane.begin(name)
    if workload.before is not None:
        status, answer = await world.apply(name, workload.before, kind)
        assert status < 300, answer
        await world.settled(name, kind)
    lane.begin(name)
    if fault:
        lane.fault, lane.at_write = fault
    lane.disturbance = disturbance
    if disturbance is Disturbance.STALE_LISTS:
        await world.restart()
    if workload.after is None:
        await world.delete(name, kind)
    else:
        status, answer = await world.apply(name, workload.after, kind)
        assert status < 300, answer
    if workload.by_hand:
        await world.delete_deployment(name)
    if disturbance:
        await (lane.all_listed() if disturbance is Disturbance.SILENCED else asyncio.sleep(1.0))
        lane.disturbance = None
    ended = await world.settled(name, kind, same_as=expected, exact=exact)
    hit = lane.hit
    await world.delete(name, kind)
    return ended, hit


def _rolled_out(deployment: Manifest) -> bool:
    """As far as it goes without nodes: pods of an old template stay where the new ones are to come first."""
    status, spec = deployment.get("status", {}), deployment["spec"]
    if status.get("observedGeneration") != deployment["metadata"]["generation"]:
        return False
    wanted, total, updated = spec["replicas"], status.get("replicas", 0), status.get("updatedReplicas", 0)
    surge = spec["strategy"].get("rollingUpdate", {}).get("maxSurge", 0)
    return bool(total == updated == wanted or (updated == surge and total == wanted + updated))


def _measured(autoscaler: Manifest) -> bool:
    """It has tried to measure, and failed, as there are no metrics here; before that it may scale once."""
    conditions = autoscaler.get("status", {}).get("conditions", ())
    return any(condition["type"] == "ScalingActive" for condition in conditions)
