"""KEDA's ScaledObject."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .horizontal_pod_autoscaler import ACTIVE_REQUESTS, scale_down
from .metadata import metadata
from .prometheus import series
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
        options = {
            "serverAddress": scaling.prometheus_address,
            "query": f"sum({series(owner, ACTIVE_REQUESTS)})",
            "threshold": str(scaling.target_active_requests_per_pod),
            "ignoreNullValues": "false",  # pods that Prometheus lost are not idle
        }
        triggers.append({"type": "prometheus", "metricType": "AverageValue", "metadata": options})
    behavior = {"scaleDown": scale_down(scaling.scale_down, tolerance=False)}  # KEDA's schema has none
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": owner.name},
            "minReplicaCount": scaling.min_replicas,
            "maxReplicaCount": scaling.max_replicas,
            "pollingInterval": 15,
            "triggers": triggers,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior}},
        },
    }
