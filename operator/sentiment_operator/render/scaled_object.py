"""KEDA's ScaledObject."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from ..api.v1alpha1.scaling import Autoscaling
from .horizontal_pod_autoscaler import ACTIVE_REQUESTS, scale_down
from .metadata import metadata
from .prometheus import asked, series
from .surroundings import Surroundings


def scaled_object(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> dict[str, Any] | None:
    """The ScaledObject; None when it isn't asked for, or the cluster has no KEDA."""
    scaling = spec.autoscaling
    if scaling.type != "KEDA" or "ScaledObject" not in around.apis:
        return None
    triggers: list[dict[str, Any]] = []
    if scaling.target_cpu:
        triggers.append(
            {"type": "cpu", "metricType": "Utilization", "metadata": {"value": str(scaling.target_cpu)}}
        )
    if scaling.target_active_requests_per_pod:
        active = f"sum({series(owner, ACTIVE_REQUESTS)})"
        # Pods that Prometheus lost are not idle; where there may be none, the two look the same.
        lost = {"ignoreNullValues": str(scaling.min_replicas == 0).lower()}
        triggers.append(_prometheus(scaling, active, scaling.target_active_requests_per_pod, lost))
    asleep: dict[str, Any] = {}
    if scaling.activation_query:
        # 0 or 1, so that it never asks for a second pod.
        triggers.append(_prometheus(scaling, asked(owner, scaling.activation_query), 1, {}))
        idle = scaling.scale_down.stabilization_window_seconds
        asleep = {"cooldownPeriod": idle, "initialCooldownPeriod": idle}
    behavior = {"scaleDown": scale_down(scaling.scale_down, tolerance=False)}  # KEDA's schema has none
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": owner.name},
            "minReplicaCount": scaling.min_replicas,
            "maxReplicaCount": scaling.max_replicas,
            **asleep,
            "pollingInterval": 15,
            "triggers": triggers,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior}},
        },
    }


def _prometheus(scaling: Autoscaling, query: str, threshold: int, more: dict[str, str]) -> dict[str, Any]:
    """A trigger that asks for a pod for each `threshold` of a query's value, and is active above 0."""
    options = {"serverAddress": scaling.prometheus_address, "query": query, "threshold": str(threshold)}
    return {"type": "prometheus", "metricType": "AverageValue", "metadata": {**options, **more}}
