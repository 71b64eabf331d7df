"""Whether what was asked for beyond the pods is there: autoscaling, access from outside, monitoring. Pure.

Each feature has a condition only while it is asked for. A feature that can't be had makes the service
Degraded, not unready: it answers all the same.
"""

from dataclasses import dataclass

from ..api.kinds import CUSTOM_METRICS, HPA_TOLERANCE
from ..api.v1alpha1 import SentimentServiceSpec
from .conditions import Check, Finding, Manifest, Observed, condition_of, first

_INSTALL = {
    "ServiceMonitor": "the Prometheus operator",
    "PrometheusRule": "the Prometheus operator",
    "HTTPRoute": "the Gateway API and an implementation of it",
    "ScaledObject": "KEDA",
}


@dataclass(frozen=True)
class State:
    """A condition's status with its finding."""

    status: str
    finding: Finding


def features(seen: Observed) -> dict[str, State]:
    """Condition type → state, of the features that are asked for."""
    if seen.spec is None:
        return {}
    found: dict[str, State] = {}
    if seen.spec.autoscaling.type in ("HPA", "KEDA"):
        found["AutoscalingReady"] = _state(_AUTOSCALING, seen, _active(seen))
    if _outside(seen.spec):
        found["Exposed"] = _state(_ACCESS, seen, _PUBLISHED)
    monitoring = seen.spec.monitoring
    if monitoring.service_monitor or monitoring.prometheus_rule or monitoring.dashboard:
        found["MonitoringReady"] = _state((monitor_missing,), seen, _CONFIGURED)
    return found


def feature_impossible(seen: Observed) -> Finding | None:
    """What can't come true without somebody's help."""
    return first((scaler_missing, nothing_to_measure, route_missing, route_refused, monitor_missing), seen)


_PUBLISHED = Finding("Published", "The service can be reached as spec.access says.")
_CONFIGURED = Finding("Configured", "All that spec.monitoring asks for exists.")


def _state(checks: tuple[Check, ...], seen: Observed, good: Finding) -> State:
    trouble = first(checks, seen)
    return State("False", trouble) if trouble else State("True", good)


def _outside(spec: SentimentServiceSpec) -> bool:
    access = spec.access
    return access.service.type == "LoadBalancer" or bool(access.ingress or access.http_route)


def _missing(field: str, kind: str, seen: Observed) -> Finding | None:
    if kind in seen.apis:
        return None
    return Finding(
        "KindNotInstalled",
        f"{field} needs the kind {kind}, which this cluster lacks: install {_INSTALL[kind]} and it is "
        "made at once, or remove the field.",
    )


def scaler_missing(seen: Observed) -> Finding | None:
    """KEDA is asked for and not installed."""
    if seen.spec and seen.spec.autoscaling.type == "KEDA":
        return _missing("spec.autoscaling.type KEDA", "ScaledObject", seen)
    return None


def nothing_to_measure(seen: Observed) -> Finding | None:
    """An HPA is to scale by requests alone, and nobody serves that metric."""
    scaling = seen.spec and seen.spec.autoscaling
    if scaling and scaling.target_cpu == 0 and _lacks_metrics(seen):
        return Finding("CustomMetricsNotServed", f"No autoscaler was made: {_SERVE_METRICS}")
    return None


_SERVE_METRICS = (
    f"targetActiveRequestsPerPod needs the API {CUSTOM_METRICS}. Install prometheus-adapter "
    "(docs/how-to/autoscaling.md), or set spec.autoscaling.targetActiveRequestsPerPod to 0."
)


def _lacks_metrics(seen: Observed) -> bool:
    scaling = seen.spec and seen.spec.autoscaling
    return bool(
        scaling
        and scaling.type == "HPA"
        and scaling.target_active_requests_per_pod
        and CUSTOM_METRICS not in seen.apis
    )


def _active(seen: Observed) -> Finding:
    if _lacks_metrics(seen):
        return Finding("ActiveByCPUOnly", f"Pods are scaled by CPU only: {_SERVE_METRICS}{_eager(seen)}")
    return Finding("Active", f"The autoscaler sets the number of pods.{_eager(seen)}")


def _eager(seen: Observed) -> str:
    """That pods are removed sooner than was asked for, where the autoscaler knows no tolerance."""
    if seen.spec and seen.spec.autoscaling.type == "KEDA":
        why = "KEDA has no field for it"
    elif HPA_TOLERANCE not in seen.apis:
        why = "Kubernetes has a field for it since 1.35"
    else:
        return ""
    return (
        f" spec.autoscaling.scaleDown.belowPercentOfTarget does nothing here ({why}): pods are removed as "
        "soon as fewer would meet the target."
    )


def scaler_unable(seen: Observed) -> Finding | None:
    """The autoscaler itself says that it can't scale."""
    scaler = seen.children.get("HorizontalPodAutoscaler")
    for kind in ("AbleToScale", "ScalingActive"):
        found = condition_of(scaler, kind)
        if found and found["status"] == "False":
            return Finding(found["reason"], found["message"])
    scaled = seen.children.get("ScaledObject")
    found = condition_of(scaled, "Ready")
    if found and found["status"] != "True":
        return Finding(
            found.get("reason") or "ScaledObjectNotReady", found.get("message") or "KEDA gives no reason."
        )
    # What the HPA that KEDA made says; with no pod it is silent, which KEDA calls well.
    found = condition_of(scaled, "HPAActive")
    if found and found["status"] == "False":
        return Finding(found["reason"], found["message"])
    return None


def scaler_silent(seen: Observed) -> Finding | None:
    """No autoscaler has spoken yet."""
    made = seen.children.get("HorizontalPodAutoscaler") or seen.children.get("ScaledObject")
    if made and made.get("status", {}).get("conditions"):
        return None
    return Finding("AutoscalerStarting", "The autoscaler has not reported yet.")


def route_missing(seen: Observed) -> Finding | None:
    """An HTTPRoute is asked for and the Gateway API not installed."""
    if seen.spec and seen.spec.access.http_route:
        return _missing("spec.access.httpRoute", "HTTPRoute", seen)
    return None


def route_refused(seen: Observed) -> Finding | None:
    """A Gateway says no to the HTTPRoute."""
    for parent in _parents(seen.children.get("HTTPRoute")):
        for kind in ("Accepted", "ResolvedRefs"):
            found = next((c for c in parent.get("conditions", ()) if c["type"] == kind), None)
            if found and found["status"] == "False":
                gateway = parent["parentRef"]["name"]
                return Finding(
                    found["reason"], f"Gateway {gateway} refuses the HTTPRoute: {found['message']}"
                )
    return None


def route_unanswered(seen: Observed) -> Finding | None:
    """No Gateway has taken the HTTPRoute."""
    route = seen.children.get("HTTPRoute")
    if route and not _parents(route):
        names = ", ".join(parent["name"] for parent in route["spec"]["parentRefs"])
        return Finding(
            "RoutePending",
            f"No controller has answered for Gateway {names}: it must exist and allow this namespace.",
        )
    return None


def load_balancer_pending(seen: Observed) -> Finding | None:
    """Nobody has given the Service an address."""
    made = seen.children.get("Service")
    if not (made and seen.spec and seen.spec.access.service.type == "LoadBalancer") or _address(made):
        return None
    return Finding(
        "LoadBalancerPending",
        f"Service {made['metadata']['name']} has no address: a cloud provider or MetalLB has to give it one.",
    )


def ingress_pending(seen: Observed) -> Finding | None:
    """No ingress controller has taken the Ingress."""
    made = seen.children.get("Ingress")
    if not made or _address(made):
        return None
    name = made["spec"].get("ingressClassName")
    served = f"class {name}" if name else "the default class, which the cluster must have"
    return Finding(
        "IngressPending",
        f"No ingress controller has taken the Ingress: one must serve {served} (a few report no address).",
    )


def monitor_missing(seen: Observed) -> Finding | None:
    """The Prometheus operator's kinds are asked for and not installed."""
    monitoring = seen.spec and seen.spec.monitoring
    if not monitoring:
        return None
    if monitoring.service_monitor and (
        found := _missing("spec.monitoring.serviceMonitor", "ServiceMonitor", seen)
    ):
        return found
    if monitoring.prometheus_rule:
        return _missing("spec.monitoring.prometheusRule", "PrometheusRule", seen)
    return None


_AUTOSCALING: tuple[Check, ...] = (scaler_missing, nothing_to_measure, scaler_unable, scaler_silent)
_ACCESS: tuple[Check, ...] = (
    route_missing,
    route_refused,
    route_unanswered,
    load_balancer_pending,
    ingress_pending,
)


def _address(obj: Manifest) -> bool:
    return bool(obj.get("status", {}).get("loadBalancer", {}).get("ingress"))


def _parents(route: Manifest | None) -> list[Manifest]:
    parents: list[Manifest] = (route or {}).get("status", {}).get("parents", [])
    return parents
