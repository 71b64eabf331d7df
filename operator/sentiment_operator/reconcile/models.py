"""SentimentModels: what a pass knows of one."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..api.v1alpha1 import Owner, SentimentModelSpec
from ..cluster.http import ApiError
from ..render import Children, ModelSurroundings, render_model
from ..render.job import job_name
from ..render.model import complete, volume_missing, wanted_package
from ..render.persistent_volume_claim import claim_name
from .conditions import Finding, condition_of
from .model_conditions import Live, SeenModel
from .model_status import compute_model_status, package_in
from .ownership import is_ours
from .store import Store, packages_of

Manifest = dict[str, Any]
log = logging.getLogger(__name__)
_JOB_LABEL = "batch.kubernetes.io/job-name"
PROGRESS_SECONDS = 5.0


class Models:
    """The subject of passes over SentimentModels."""

    def __init__(
        self,
        store: Store,
        image: str,
        apis: Callable[[], frozenset[str]],
        ask: Callable[[str], Awaitable[tuple[str, int] | None]],
        last_warning: Callable[[str, str, str], Awaitable[str]],
    ) -> None:
        """image: of Jobs whose spec names none; ask: (phase, percent) from the pod at an address, or None;
        last_warning: of the Events about an object, by kind, namespace and name.
        """
        self._store = store
        self._image = image
        self._apis = apis
        self._ask = ask
        self._last_warning = last_warning

    def parse(self, spec: Manifest) -> SentimentModelSpec:
        """The typed spec; raises ValidationError."""
        return SentimentModelSpec.model_validate(spec)

    def render(self, owner: Owner, spec: SentimentModelSpec, wanted: Manifest) -> Children:
        """All children."""
        return render_model(owner, spec, self._around(owner, spec, wanted))

    async def status(
        self,
        owner: Owner,
        spec: SentimentModelSpec | None,
        wanted: Manifest,
        problems: list[Finding],
        now: str,
    ) -> Manifest:
        """The whole status."""
        previous = wanted.get("status", {})
        around = self._around(owner, spec, wanted)
        wish = wanted_package(spec, around) if spec else None
        job = self._job(owner, wish)
        pods = self._pods(owner, job)
        children = {"PersistentVolumeClaim": self._claim(owner), "Job": job}
        seen = SeenModel(
            children={kind: child for kind, child in children.items() if child},
            pods=pods,
            problems=problems,
            apis=self._apis(),
            spec=spec,
            wish=wish,
            package=self._package(owner, spec, wish, wanted),
            live=await self._live(job, pods),
            warning=await self._warning(job, pods),
            consumers=tuple(
                service["metadata"]["name"]
                for service in self._store.consumers((owner.kind, owner.namespace, owner.name))
            ),
            needs_image_volumes=spec is not None and volume_missing(spec, around),
            now=now,
        )
        return compute_model_status(owner, wanted["metadata"]["generation"], seen, previous, now)

    def again(self, owner: Owner, spec: SentimentModelSpec) -> float | None:
        """While a Job is at work its progress is asked for."""
        job = self._job(
            owner, wanted_package(spec, ModelSurroundings(self._image, claim=self._usable(owner)))
        )
        return PROGRESS_SECONDS if job and _at_work(job) else None

    def concerns_others(self, before: Manifest, after: Manifest) -> bool:
        """Services read the package, and why there is none; not how far it is."""
        return any(_told(before)[name] != told for name, told in _told(after).items())

    def _around(self, owner: Owner, spec: SentimentModelSpec | None, wanted: Manifest) -> ModelSurroundings:
        claim = self._usable(owner)
        bare = ModelSurroundings(self._image, self._apis(), claim)
        package = self._package(owner, spec, wanted_package(spec, bare) if spec else None, wanted)
        return ModelSurroundings(
            self._image,
            self._apis(),
            claim,
            tuple(self._jobs(owner)),
            package["path"] if package else None,
            self._used(owner),
        )

    def _claim(self, owner: Owner) -> Manifest | None:
        claim = self._store.get("PersistentVolumeClaim", owner.namespace, claim_name(owner))
        return claim if claim and is_ours(owner, claim) else None

    def _usable(self, owner: Owner) -> Manifest | None:
        claim = self._claim(owner)
        return None if claim is None or claim["metadata"].get("deletionTimestamp") else claim

    def _jobs(self, owner: Owner) -> list[Manifest]:
        key = (owner.kind, owner.namespace, owner.name)
        return [job for job in self._store.of(key, "Job") if is_ours(owner, job)]

    def _job(self, owner: Owner, wish: str | None) -> Manifest | None:
        if wish is None:
            return None
        found = self._store.get("Job", owner.namespace, job_name(owner, wish))
        return found if found and is_ours(owner, found) else None

    def _pods(self, owner: Owner, job: Manifest | None) -> list[Manifest]:
        return [
            pod
            for pod in self._store.of((owner.kind, owner.namespace, owner.name), "Pod")
            if job and (pod["metadata"].get("labels") or {}).get(_JOB_LABEL) == job["metadata"]["name"]
        ]

    def _package(
        self, owner: Owner, spec: SentimentModelSpec | None, wish: str | None, wanted: Manifest
    ) -> Manifest | None:
        previous: Manifest | None = wanted.get("status", {}).get("package")
        claim = self._usable(owner)
        if spec is None or wish is None or claim is None:
            return previous
        pods = self._pods(owner, self._job(owner, wish))
        return package_in(
            owner, claim["metadata"]["uid"], wish, spec.engine, self._jobs(owner), pods, previous
        )

    def _used(self, owner: Owner) -> frozenset[str]:
        """Packages that are mounted, or are about to be, also by services that no longer name the model.

        Not what the model's own Jobs left: their pods bear the same label.
        """
        key = (owner.kind, owner.namespace, owner.name)
        users = [obj for kind in ("Pod", "Deployment") for obj in self._store.of(key, kind)]
        mounted = (
            packages_of(obj).get(owner.name)
            for obj in users
            if _JOB_LABEL not in (obj["metadata"].get("labels") or {})
        )
        return frozenset(package for package in mounted if package)

    async def _live(self, job: Manifest | None, pods: list[Manifest]) -> Live | None:
        if not job or not _at_work(job):
            return None
        running = [pod["status"] for pod in pods if pod.get("status", {}).get("phase") == "Running"]
        addresses = [status["podIP"] for status in running if status.get("podIP")]
        told = await self._ask(addresses[0]) if addresses else None
        return Live(*told) if told else None

    async def _warning(self, job: Manifest | None, pods: list[Manifest]) -> str:
        """Why the Job makes no pod. Its controller says so in an Event and nowhere else."""
        if pods or not job or not _at_work(job):
            return ""
        meta = job["metadata"]
        try:
            return await self._last_warning("Job", meta["namespace"], meta["name"])
        except ApiError as error:  # the rest of the status does without it
            log.warning("no Events about Job %s/%s: %s", meta["namespace"], meta["name"], error)
            return ""


def _at_work(job: Manifest) -> bool:
    failed = condition_of(job, "Failed")
    return not complete(job) and not (failed and failed["status"] == "True")


def _told(status: Manifest) -> dict[str, Any]:
    degraded = condition_of({"status": status}, "Degraded") or {}
    return {
        "package": status.get("package"),
        **{name: degraded.get(name) for name in ("status", "reason", "message")},
    }
