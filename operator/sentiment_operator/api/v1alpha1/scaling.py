"""How many pods there are, and how a new version replaces the old."""

from typing import Annotated, Literal

from pydantic import Field

from .base import IntOrPercent, Strict, config

# What each rollout type stands for: (maxSurge, maxUnavailable).
ROLLOUTS: dict[str, tuple[int, int]] = {"AvailabilityFirst": (1, 0), "ResourceAware": (0, 1)}


def _zero(field: str, when_absent: str) -> str:
    return f"(has(self.{field}) ? (self.{field} == 0 || self.{field} == '0%') : self.type == '{when_absent}')"


class Rollout(Strict):
    """How pods of a new version replace the old."""

    model_config = config(
        (
            f"!({_zero('maxSurge', 'ResourceAware')} && {_zero('maxUnavailable', 'AvailabilityFirst')})",
            "spec.rollout: maxSurge and maxUnavailable can't both be zero, no pod could ever be replaced; "
            "raise one of them (a type of AvailabilityFirst means maxSurge 1, ResourceAware maxUnavailable "
            "1)",
        ),
        (
            "self.minReadySeconds < self.progressDeadlineSeconds",
            "spec.rollout.progressDeadlineSeconds must be more than minReadySeconds: raise it",
        ),
    )

    type: Literal["AvailabilityFirst", "ResourceAware"] = Field(
        "AvailabilityFirst",
        description="AvailabilityFirst starts a new pod before an old one stops and so needs room for one "
        "more; "
        "ResourceAware stops an old one first, for nodes that are full.",
    )
    max_surge: IntOrPercent | None = Field(
        None, description="Pods above the wanted number during a rollout, instead of what `type` says."
    )
    max_unavailable: IntOrPercent | None = Field(
        None, description="Pods below the wanted number during a rollout, instead of what `type` says."
    )
    min_ready_seconds: int = Field(
        0, ge=0, le=3600, description="How long a new pod must be ready before the rollout goes on."
    )
    progress_deadline_seconds: int = Field(
        600, ge=1, le=86400, description="A rollout that gets nowhere for this long is reported as stuck."
    )
    revision_history_limit: int = Field(
        3, ge=0, le=100, description="Old ReplicaSets kept for `kubectl rollout undo`."
    )


class ScaleDown(Strict):
    """When and how fast pods are removed."""

    below_percent_of_target: int = Field(
        43,
        ge=1,
        le=99,
        description="Remove pods only while every metric is below this share of its target: 43 % of 70 % CPU "
        "is 30 %. Needs type HPA and Kubernetes 1.35; else pods are removed as soon as fewer would do.",
    )
    pods_per_minute: int = Field(1, ge=1, le=1000, description="Most pods removed in one minute.")
    stabilization_window_seconds: int = Field(
        300, ge=0, le=3600, description="Load must have been low for this long before a pod is removed."
    )


# Kubernetes writes it so, not Cpu.
CPUPercent = Annotated[int, Field(ge=0, le=1000, alias="targetCPUUtilizationPercent")]


class Autoscaling(Strict):
    """Who decides how many pods there are."""

    model_config = config(
        (
            "self.minReplicas <= self.maxReplicas",
            "spec.autoscaling.minReplicas is above maxReplicas: lower the one or raise the other",
        ),
        (
            "!(self.type in ['HPA', 'KEDA']) || self.targetCPUUtilizationPercent > 0 || "
            "self.targetActiveRequestsPerPod > 0",
            "spec.autoscaling has nothing to scale by: set targetCPUUtilizationPercent or "
            "targetActiveRequestsPerPod above 0",
        ),
        (
            "self.type != 'KEDA' || self.targetActiveRequestsPerPod == 0 || has(self.prometheusAddress)",
            "spec.autoscaling.prometheusAddress: KEDA reads active requests from Prometheus; give its "
            "address, "
            "or set targetActiveRequestsPerPod to 0",
        ),
        (
            "self.minReplicas > 0 || (self.type == 'KEDA' && has(self.activationQuery) && "
            "has(self.prometheusAddress))",
            "spec.autoscaling.minReplicas 0: pods that are not there measure nothing; set type to KEDA and "
            "give activationQuery and prometheusAddress, or set minReplicas to 1 or more",
        ),
        (
            "self.minReplicas == 0 || !has(self.activationQuery)",
            "spec.autoscaling.activationQuery starts the first pod: set minReplicas to 0, or remove it",
        ),
    )

    type: Literal["None", "HPA", "KEDA", "External"] = Field(
        "None",
        description="None: spec.replicas decides. HPA: a HorizontalPodAutoscaler is made. KEDA: a "
        "ScaledObject "
        "is made. External: something else scales the Deployment, and the operator leaves its number alone.",
    )
    min_replicas: int = Field(
        2,
        ge=0,
        le=1000,
        description="Never fewer pods than this. With KEDA and an activationQuery it may be 0.",
    )
    max_replicas: int = Field(10, ge=1, le=1000, description="Never more pods than this.")
    target_cpu: CPUPercent = Field(
        70, description="Mean CPU use, as a percentage of the request, to keep to; 0 does not scale by CPU."
    )
    target_active_requests_per_pod: int = Field(
        50,
        ge=0,
        le=100000,
        description="Mean requests in progress per pod (structbert_active_requests) to keep to; 0 does not "
        "scale by them. An HPA needs the custom metrics API for it (prometheus-adapter).",
    )
    scale_down: ScaleDown = Field(
        default_factory=ScaleDown,  # type: ignore[arg-type]
        description="When and how fast pods are removed.",
    )
    prometheus_address: str | None = Field(
        None,
        max_length=512,
        pattern=r"^https?://\S+$",
        description="Where KEDA asks Prometheus, such as http://prometheus.monitoring:9090.",
    )
    activation_query: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        description="With minReplicas 0: PromQL whose sum is above 0 while somebody wants an answer, by what "
        "sees requests while there is no pod, such as an ingress controller.",
    )
