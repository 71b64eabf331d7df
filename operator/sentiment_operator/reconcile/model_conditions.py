"""What stands in the way of a SentimentModel, found by small checks in order. Pure.

The Job's pods say most: the kubelet lifts what the preparation wrote at its end into the pod's status.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..api.v1alpha1 import SentimentModelSpec
from ..render.job import CONTAINER
from ..render.model import complete
from .conditions import (
    Finding,
    Manifest,
    Seen,
    being_deleted,
    cannot_start,
    claim_lost,
    condition_of,
    container_statuses,
    newest_first,
    pass_failed,
    tail,
    unschedulable,
)
from .remedies import REMEDIES

# So long a Job may take to make its pod.
_POD_SECONDS = 30
# The kubelet's own evictions; a drain deletes the pod.
_EVICTED = (
    "Ask for what it needs in spec.job.resources.requests, so that it gets a node with room; where it went "
    "over its own limit, raise spec.job.resources.limits."
)


@dataclass(frozen=True)
class Live:
    """How far a preparation is, in its own words."""

    phase: str
    percent: int


@dataclass(frozen=True)
class SeenModel(Seen):
    """Everything that the status of a SentimentModel is computed from; `pods` are those of the wanted Job."""

    spec: SentimentModelSpec | None = None
    # Folder of the wanted package; None while there is no volume.
    wish: str | None = None
    # The package that the volume holds for services.
    package: Manifest | None = None
    live: Live | None = None
    # The last Event of type Warning about a Job that has no pod.
    warning: str = ""
    consumers: tuple[str, ...] = ()
    needs_image_volumes: bool = False
    now: str = ""

    @property
    def job(self) -> Manifest | None:
        """The wanted Job as it was seen."""
        return self.children.get("Job")


ModelCheck = Callable[[SeenModel], Finding | None]


def image_volumes_missing(seen: SeenModel) -> Finding | None:
    """The source is an OCI image, and this Kubernetes can't mount one."""
    if not seen.needs_image_volumes:
        return None
    return Finding(
        "ImageVolumesMissing",
        "spec.source.oci needs image volumes, which Kubernetes has since 1.35: upgrade it, or copy the files "
        "to a claim and name it in spec.source.pvc.",
    )


def job_failed(seen: SeenModel) -> Finding | None:
    """The Job gave up."""
    failed = condition_of(seen.job, "Failed")
    if not (seen.job and failed and failed["status"] == "True"):
        return None
    name = seen.job["metadata"]["name"]
    again = f"To try again: change the spec, or `kubectl delete job {name}`."
    if failed.get("reason") == "DeadlineExceeded":
        message = "It took longer than spec.job.deadlineSeconds; raise it."
        return Finding("DeadlineExceeded", f"{message} {again}")
    found = attempt_failed(seen) or Finding(
        "PreparationFailed", failed.get("message") or "It gives no reason."
    )
    return Finding(found.reason, f"{found.message} {again}")


def pod_cannot_start(seen: SeenModel) -> Finding | None:
    """The image, a Secret or a ConfigMap is not to be had."""
    for pod in newest_first(seen.pods)[:1]:
        for status in container_statuses(pod):
            if found := cannot_start(status):
                return Finding(found.reason, f"pod {pod['metadata']['name']}: {found.message}")
    return None


def pod_refused(seen: SeenModel) -> Finding | None:
    """The Job makes no pod: a quota, an admission policy or a missing service account."""
    if not seen.job or seen.pods or complete(seen.job):
        return None
    name = seen.job["metadata"]["name"]
    if seen.warning:
        return Finding(
            "PodRefused",
            f"Job {name} has no pod: {seen.warning.rstrip('.')}. Raise the quota, lower spec.job.resources, "
            "or change what refuses it; the Job then goes on by itself.",
        )
    made = datetime.fromisoformat(seen.job["metadata"]["creationTimestamp"])
    if (datetime.fromisoformat(seen.now) - made).total_seconds() < _POD_SECONDS:
        return None
    return Finding(
        "PodRefused",
        f"Job {name} has no pod, and no Event says why: `kubectl describe job {name}` has more.",
    )


def attempt_failed(seen: SeenModel) -> Finding | None:
    """How the newest pod ended, if it ended badly."""
    return next((_failure(pod) for pod in newest_first(seen.pods)[:1]), None)


def _failure(pod: Manifest) -> Finding | None:
    if pod.get("status", {}).get("reason") == "Evicted":
        told = pod["status"].get("message") or "The node was short of something."
        return Finding("Evicted", f"{told.strip().rstrip('.')}. {_EVICTED}")
    if ended := _ended(pod):
        report = report_of(pod)
        if "reason" in report:
            reason = str(report["reason"])
            remedy = REMEDIES.get(reason) or report.get("remedy", "")
            return Finding(reason, f"{str(report.get('message', '')).rstrip('.')}. {remedy}".strip())
        if ended.get("reason") == "OOMKilled":
            return Finding("OutOfMemory", f"The kernel ended it. {REMEDIES['OutOfMemory']}")
        code = ended.get("exitCode")
        if "phase" in report:
            return Finding("PreparationFailed", f"It ended with code {code} while {report['phase']}.")
        return Finding("PreparationFailed", f"It ended with code {code}: {tail(ended.get('message'))}")
    return None


def _ended(pod: Manifest) -> Manifest | None:
    for status in pod.get("status", {}).get("containerStatuses", ()):
        ended: Manifest | None = status.get("state", {}).get("terminated")
        if status["name"] == CONTAINER and ended and ended.get("exitCode") != 0:
            return ended
    return None


def report_of(pod: Manifest) -> dict[str, Any]:
    """What the preparation wrote at its end; empty when it could not."""
    for status in pod.get("status", {}).get("containerStatuses", ()):
        ended = status.get("state", {}).get("terminated") or {}
        if status["name"] == CONTAINER:
            try:
                report = json.loads(ended.get("message") or "")
            except ValueError:
                return {}
            return report if isinstance(report, dict) else {}
    return {}


# Cause before symptom.
MODEL_TROUBLES: tuple[ModelCheck, ...] = (
    pass_failed,
    claim_lost,
    image_volumes_missing,
    job_failed,
    pod_cannot_start,
    unschedulable,
    pod_refused,
)


def volume_wanted(seen: SeenModel) -> Finding | None:
    """The claim, or the Job, is still to be made."""
    if seen.wish and seen.job:
        return None
    return Finding("Creating", "The claim and the Job are being made.")


def retrying(seen: SeenModel) -> Finding | None:
    """An attempt failed, and the Job will try again by itself."""
    if seen.job and not complete(seen.job) and (found := attempt_failed(seen)):
        return Finding("Retrying", f"{found.reason}: {found.message} The Job goes on where it was.")
    return None


def preparing(seen: SeenModel) -> Finding | None:
    """The Job is at work."""
    if not seen.job or complete(seen.job):
        return None
    name = seen.job["metadata"]["name"]
    hint = ""
    if seen.claim and seen.claim.get("status", {}).get("phase") == "Pending":
        hint = f" Claim {seen.claim['metadata']['name']} waits for its volume."
    # Else what ends it again and again would be seen for a moment only.
    for earlier in newest_first(seen.pods)[1:2]:
        if found := _failure(earlier):
            hint += f" The attempt before this one: {found.reason}: {found.message}"
    return Finding("Preparing", f"Job {name} makes the package.{hint}")


MODEL_WAITS: tuple[ModelCheck, ...] = (being_deleted, volume_wanted, retrying, preparing)
