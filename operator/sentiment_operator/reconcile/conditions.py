"""What stands in the way of a SentimentService, found by small checks in order. Pure.

Each check looks at one thing and returns a reason and a message, or None. The first that speaks wins, so
the cause comes before its symptoms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..api.v1alpha1 import Reference, SentimentServiceSpec
from ..render import PreparedModel
from ..render.packages import other_engine, pods_stay
from ..render.scheduling import cannot_spread

Manifest = dict[str, Any]

# Waiting for these is how every container starts.
_ORDINARY_WAITS = frozenset({"ContainerCreating", "PodInitializing"})
_MODEL_CONTAINER = "model"


@dataclass(frozen=True)
class Finding:
    """A reason (CamelCase) and a message: what is so, and what to do about it."""

    reason: str
    message: str


@dataclass(frozen=True)
class Seen:
    """What a status is computed from, of a service or a model."""

    # The owned children, by kind: there is at most one of each that matters.
    children: Mapping[str, Manifest] = field(default_factory=dict)
    pods: list[Manifest] = field(default_factory=list)
    # What this pass could not do, in the order in which it happened.
    problems: list[Finding] = field(default_factory=list)
    # What the cluster offers; the words are those of api.kinds.
    apis: frozenset[str] = frozenset()

    @property
    def claim(self) -> Manifest | None:
        """The model volume's claim as it was seen."""
        return self.children.get("PersistentVolumeClaim")


@dataclass(frozen=True)
class Observed(Seen):
    """Everything that the status of a SentimentService is computed from."""

    spec: SentimentServiceSpec | None = None
    # The SentimentModels that the spec refers to, by name, and what has a package of them.
    models: Mapping[str, Manifest] = field(default_factory=dict)
    prepared: tuple[PreparedModel, ...] = ()

    @property
    def deployment(self) -> Manifest | None:
        """The Deployment as it was seen."""
        return self.children.get("Deployment")

    @property
    def references(self) -> tuple[Reference, ...]:
        """What the spec refers to."""
        return self.spec.references if self.spec else ()

    @property
    def unprepared(self) -> list[Reference]:
        """What has no package."""
        there = {one.called for one in self.prepared}
        return [one for one in self.references if one.called not in there]


Check = Callable[[Observed], Finding | None]
S = TypeVar("S", bound=Seen)


def pass_failed(seen: Seen) -> Finding | None:
    """The operator itself was refused something."""
    return seen.problems[0] if seen.problems else None


def being_deleted(seen: Seen) -> Finding | None:
    """A child of an earlier time is still going."""
    for child in seen.children.values():
        if child["metadata"].get("deletionTimestamp"):
            name = f"{child['kind']} {child['metadata']['name']}"
            return Finding("WaitingForDeletion", f"{name} is being deleted; it is made anew when it is gone.")
    return None


def claim_lost(seen: Seen) -> Finding | None:
    """The volume under the claim is gone."""
    if seen.claim and seen.claim.get("status", {}).get("phase") == "Lost":
        name = seen.claim["metadata"]["name"]
        return Finding(
            "VolumeLost", f"The volume of claim {name} is gone: delete the claim to get a new one."
        )
    return None


def replicas_refused(seen: Observed) -> Finding | None:
    """Pods can't be made: a quota, an admission policy, a missing service account."""
    condition = condition_of(seen.deployment, "ReplicaFailure")
    if condition and condition["status"] == "True":
        return Finding(condition["reason"], condition["message"])
    return None


def container_failing(seen: Seen) -> Finding | None:
    """A container's or an init container's own reason: image, configuration, crash, memory."""
    for pod in newest_first(seen.pods):
        if pod.get("status", {}).get("phase") == "Failed":
            continue  # evicted: it stays as a record, and another one was made for it
        for status in container_statuses(pod):
            if found := _crashed(status) or cannot_start(status):
                where = f"pod {pod['metadata']['name']}, container {status['name']}"
                return Finding(found.reason, f"{where}: {found.message}")
    return None


def _crashed(status: Manifest) -> Finding | None:
    """Ended badly and not ready since: one reason from the first crash on, not one for each stage of it."""
    if status.get("ready"):
        return None
    state = status.get("state", {})
    ended = state.get("terminated") or status.get("lastState", {}).get("terminated")
    if not ended or ended.get("exitCode") == 0:
        return None
    if ended.get("reason") == "OOMKilled":
        return Finding("OOMKilled", "it needed more than spec.resources.limits.memory; raise it")
    code, text = ended.get("exitCode"), tail(ended.get("message"))
    return Finding("CrashLoopBackOff", f"it ended with code {code}: {text}")


def cannot_start(status: Manifest) -> Finding | None:
    """A container waits for what may never come."""
    waiting = status.get("state", {}).get("waiting") or {}
    reason = waiting.get("reason")
    if not reason or reason in _ORDINARY_WAITS:
        return None
    # The kubelet goes to and fro between the two.
    reason = "ImagePullBackOff" if reason == "ErrImagePull" else reason
    return Finding(reason, waiting.get("message", "waits"))


def unschedulable(seen: Seen) -> Finding | None:
    """No node takes a pod; the scheduler says why."""
    for pod in newest_first(seen.pods):
        condition = condition_of(pod, "PodScheduled")
        if condition and condition["status"] == "False" and condition.get("reason") == "Unschedulable":
            message = f"pod {pod['metadata']['name']}: {condition.get('message', '')}"
            if seen.claim and seen.claim.get("status", {}).get("phase") == "Pending":
                message += f" (claim {seen.claim['metadata']['name']} is pending; see its events)"
            return Finding("Unschedulable", message)
    return None


def volumes_apart(seen: Observed) -> Finding | None:
    """No node takes a pod, and it mounts several volumes that are on one node each."""
    bound = sorted({one.name for one in seen.prepared if one.one_node})
    found = unschedulable(seen) if len(bound) > 1 else None
    return found and Finding(
        found.reason,
        f"{found.message} The volumes of SentimentModels {', '.join(bound)} are ReadWriteOnce: where they "
        "are not on one node, make them anew with spec.storage.accessMode ReadWriteMany.",
    )


def rollout_stuck(seen: Observed) -> Finding | None:
    """The Deployment gave up waiting."""
    condition = condition_of(seen.deployment, "Progressing")
    if condition and condition["status"] == "False":
        return Finding(condition["reason"], condition["message"])
    return None


def model_unknown(seen: Observed) -> Finding | None:
    """The spec names a model that is not there."""
    for called, name in seen.references:
        if name not in seen.models:
            otherwise = (
                f"remove {called} from spec.models"
                if called
                else "remove spec.model.modelRef to serve the bundled model"
            )
            return Finding(
                "ModelNotFound",
                f"There is no SentimentModel {name} in this namespace: create it, or {otherwise}. "
                f"{_meanwhile(seen)}",
            )
    return None


def model_failed(seen: Observed) -> Finding | None:
    """A model has no package, and will get none by itself."""
    for _, name in seen.unprepared:
        if why := _refused(seen, name):
            return Finding("ModelFailed", f"{why} {_meanwhile(seen)}")
    return None


def engine_mismatch(seen: Observed) -> Finding | None:
    """The spec names an engine, and a model's package is for the other one."""
    found = other_engine(seen.spec, seen.prepared) if seen.spec else None
    if not (seen.spec and found):
        return None
    wanted = seen.spec.serving.engine
    return Finding(
        "EngineMismatch",
        f"spec.serving.engine is {wanted}, and the package of SentimentModel {found.name} is for "
        f"{found.engine}: set spec.serving.engine to auto, or have the model prepared for {wanted} (its "
        "spec.engine). Pods stay as they are.",
    )


def model_on_one_node(seen: Observed) -> Finding | None:
    """The spec asks for several nodes, and a model's volume is on one."""
    if not (seen.spec and cannot_spread(seen.spec, seen.prepared)):
        return None
    name = next(one.name for one in seen.prepared if one.one_node)
    return Finding(
        "ModelOnOneNode",
        f"SentimentModel {name} has a volume with ReadWriteOnce, which keeps all pods on one "
        "node: make it anew with spec.storage.accessMode ReadWriteMany, or set spec.availability."
        "antiAffinity to Preferred and whenUnsatisfiable in topologySpread to ScheduleAnyway. Pods stay as "
        "they are.",
    )


def model_preparing(seen: Observed) -> Finding | None:
    """A model's package is still being made."""
    for _, name in seen.unprepared:
        if name in seen.models and not _refused(seen, name):
            return Finding(
                "ModelPreparing",
                f"SentimentModel {name} is being prepared; `kubectl get smodel {name}` shows how far it is.",
            )
    return None


def model_update_failed(seen: Observed) -> Finding | None:
    """The package of before is served, for what a model asks for now can't be had."""
    for one in seen.prepared:
        if why := _refused(seen, one.name):
            return Finding("ModelUpdateFailed", f"The package of before is served. {why}")
    return None


def _meanwhile(seen: Observed) -> str:
    if seen.spec and pods_stay(seen.spec, seen.prepared, seen.deployment):
        return "Pods stay as they are."
    return "The other models are served."


def _refused(seen: Observed, name: str) -> str | None:
    degraded = condition_of(seen.models.get(name), "Degraded")
    if not degraded or degraded["status"] != "True":
        return None
    return f"SentimentModel {name}: {degraded['reason']}: {degraded['message']}"


# Cause before symptom.
TROUBLES: tuple[Check, ...] = (
    pass_failed,
    model_unknown,
    model_failed,
    engine_mismatch,
    model_on_one_node,
    claim_lost,
    replicas_refused,
    container_failing,
    volumes_apart,
    unschedulable,
    rollout_stuck,
)


def wanted_replicas(seen: Observed) -> int:
    """Pods without which the service isn't as asked for: of an autoscaled one, the least number."""
    if seen.spec and seen.spec.replicas is not None:
        return seen.spec.replicas
    now = int((seen.deployment or {}).get("spec", {}).get("replicas", 1))
    if seen.spec and seen.spec.autoscaling.type in ("HPA", "KEDA"):
        return min(now, max(1, seen.spec.autoscaling.min_replicas))
    return now


def scaled_to_zero(seen: Observed) -> Finding | None:
    """No pods are wanted."""
    if not seen.deployment or wanted_replicas(seen) != 0:
        return None
    if may_sleep(seen):
        return Finding(
            "ScaledToZero", "No pod runs; KEDA starts one when spec.autoscaling.activationQuery is above 0."
        )
    return Finding("ScaledToZero", "0 replicas are asked for, no pod answers: set it to 1 or more.")


def may_sleep(seen: Observed) -> bool:
    """The spec allows no pod at all; by its rules KEDA scales it then."""
    return bool(seen.spec and seen.spec.autoscaling.min_replicas == 0)


def not_made_yet(seen: Observed) -> Finding | None:
    """There is no Deployment, or its controller has not seen it."""
    made = seen.deployment
    if made and made.get("status", {}).get("observedGeneration", 0) >= made["metadata"]["generation"]:
        return None
    return Finding("Creating", "The children were applied; Kubernetes has yet to act on them.")


def rolling_out(seen: Observed) -> Finding | None:
    """Pods of the newest template are still to come, or old ones to go."""
    if not (seen.deployment and seen.spec):
        return None
    status, wanted = seen.deployment.get("status", {}), wanted_replicas(seen)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    if updated < wanted or total > updated:
        return Finding("RollingOut", f"{updated} of {wanted} pods are of the newest version, {total} exist.")
    available = status.get("availableReplicas", 0)
    if available < wanted:
        return Finding("Starting", f"{available} of {wanted} pods answer.{_hint(seen)}")
    return None


def _hint(seen: Observed) -> str:
    """What a pod that is neither failing nor ready waits for, where that can be known."""
    for pod in newest_first(seen.pods):
        name = pod["metadata"]["name"]
        for status in container_statuses(pod):
            state = status.get("state", {})
            if "running" in state and status["name"] == _MODEL_CONTAINER:
                return f" Pod {name} puts the model into the volume."
            if "running" in state and status.get("started") and not status.get("ready"):
                return f" Pod {name} runs, but its model is not ready (/readyz says no)."
            keys = seen.spec and seen.spec.access.api_keys_secret_ref
            if keys and state.get("waiting", {}).get("reason") == "ContainerCreating":
                return f" Pod {name} waits for its volumes; Secret {keys.name} must have the key {keys.key}."
    if seen.claim and seen.claim.get("status", {}).get("phase") == "Pending":
        return f" Claim {seen.claim['metadata']['name']} waits for its volume."
    return ""


def first(checks: tuple[Callable[[S], Finding | None], ...], seen: S) -> Finding | None:
    """The first finding of a chain."""
    return next((found for check in checks if (found := check(seen))), None)


def model_report(seen: Observed) -> str | None:
    """What the init container of the newest pod wrote when the model was in place (JSON)."""
    for pod in newest_first(seen.pods):
        for status in pod.get("status", {}).get("initContainerStatuses", ()):
            ended = status.get("state", {}).get("terminated", {})
            if status["name"] == _MODEL_CONTAINER and ended.get("exitCode") == 0:
                return str(ended.get("message", ""))
    return None


def condition_of(obj: Manifest | None, kind: str) -> Manifest | None:
    """A condition of an object's status."""
    conditions = (obj or {}).get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == kind), None)


def container_statuses(pod: Manifest) -> list[Manifest]:
    """Of init containers too."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def newest_first(pods: list[Manifest]) -> list[Manifest]:
    """The pods that are not being deleted."""
    going = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return sorted(going, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)


def tail(text: str | None, limit: int = 300) -> str:
    """The end of a log: where the error is."""
    stripped = (text or "no message").strip()
    return stripped if len(stripped) <= limit else f"…{stripped[-limit:]}"
