"""The HorizontalPodAutoscaler, and the pace at which any autoscaler removes pods."""

from typing import Any

from ..api.kinds import CUSTOM_METRICS, HPA_TOLERANCE
from ..api.v1alpha1 import Owner, SentimentServiceSpec
from ..api.v1alpha1.scaling import ScaleDown
from .metadata import metadata
from .surroundings import Surroundings

ACTIVE_REQUESTS = "structbert_active_requests"


def horizontal_pod_autoscaler(
    owner: Owner, spec: SentimentServiceSpec, around: Surroundings
) -> dict[str, Any] | None:
    """The HPA; None when it isn't asked for, or when the cluster can't measure what it would scale by."""
    scaling = spec.autoscaling
    metrics = _metrics(spec, around.apis)
    if scaling.type != "HPA" or not metrics:
        return None
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": owner.name},
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metrics": metrics,
            "behavior": {"scaleDown": scale_down(scaling.scale_down, tolerance=HPA_TOLERANCE in around.apis)},
        },
    }


def scale_down(rules: ScaleDown, *, tolerance: bool) -> dict[str, Any]:
    """How fast and from which load on pods are removed (an HPA's `behavior.scaleDown`)."""
    made: dict[str, Any] = {
        "stabilizationWindowSeconds": rules.stabilization_window_seconds,
        "selectPolicy": "Max",
        "policies": [{"type": "Pods", "value": rules.pods_per_minute, "periodSeconds": 60}],
    }
    if tolerance:
        # A metric within the tolerance asks for no fewer pods. Spelled as the API server spells it.
        made["tolerance"] = f"{10 * (100 - rules.below_percent_of_target)}m"
    return made


def _metrics(spec: SentimentServiceSpec, apis: frozenset[str]) -> list[dict[str, Any]]:
    scaling = spec.autoscaling
    made: list[dict[str, Any]] = []
    if scaling.target_cpu:
        target = {"type": "Utilization", "averageUtilization": scaling.target_cpu}
        made.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    # A metric that nobody serves would keep an HPA from ever removing a pod.
    if scaling.target_active_requests_per_pod and CUSTOM_METRICS in apis:
        target = {"type": "AverageValue", "averageValue": str(scaling.target_active_requests_per_pod)}
        made.append({"type": "Pods", "pods": {"metric": {"name": ACTIVE_REQUESTS}, "target": target}})
    return made
