"""What a user reads of each feature: whether it works, and if not, why."""

from typing import Any

import pytest
from sentiment_operator.api.kinds import CUSTOM_METRICS, HPA_TOLERANCE
from sentiment_operator.reconcile.conditions import Observed
from sentiment_operator.reconcile.status import transition

from .objects import child, deployment
from .seen import GOOD, condition, conditions, message, saw, spec_of, status_of


def scaler(kind: str, state: str, reason: str, text: str) -> dict[str, Any]:
    return child("HorizontalPodAutoscaler", status={"conditions": [condition(kind, state, reason, text)]})


HPA = spec_of(autoscaling={"type": "HPA"})
BY_REQUESTS = spec_of(autoscaling={"type": "HPA", "targetCPUUtilizationPercent": 0})
KEDA = spec_of(autoscaling={"type": "KEDA", "prometheusAddress": "http://p:9090"})
METRICS = frozenset({CUSTOM_METRICS})
TOLERANT = METRICS | {HPA_TOLERANCE}
UNABLE = scaler("ScalingActive", "False", "FailedGetResourceMetric", "no metrics")
ABLE = scaler("ScalingActive", "True", "ValidMetricFound", "fine")


def scaled_object(state: str, text: str = "", *more: dict[str, Any]) -> dict[str, Any]:
    return child("ScaledObject", status={"conditions": [condition("Ready", state, "", text), *more]})


KEDA_SAYS_NO = scaled_object("False", "bad query")
KEDA_SAYS_YES = scaled_object("True")
HPA_OF_KEDA = scaled_object(
    "True", "", condition("HPAActive", "False", "FailedGetExternalMetric", "no answer")
)
BALANCED = spec_of(access={"service": {"type": "LoadBalancer"}})
ADDRESS = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
INGRESS = spec_of(access={"ingress": {"host": "a.example.com", "className": "nginx"}})
ROUTE = spec_of(access={"httpRoute": {"parentRefs": [{"name": "public"}]}})
PARENTS = {"parentRefs": [{"name": "public"}]}
MONITORED = spec_of(monitoring={"serviceMonitor": {}, "prometheusRule": {}})


def route(*conditions: dict[str, Any]) -> dict[str, Any]:
    answers = [{"parentRef": {"name": "public"}, "conditions": list(conditions)}] if conditions else []
    return child("HTTPRoute", spec=PARENTS, status={"parents": answers})


@pytest.mark.parametrize(
    ("seen", "kind", "state", "reason", "words", "degraded"),
    [
        (saw(GOOD, UNABLE, spec=HPA, apis=METRICS), "AutoscalingReady", "False", None, "no metrics", False),
        (
            saw(GOOD, ABLE, spec=HPA, apis=METRICS),
            "AutoscalingReady",
            "True",
            "Active",
            "belowPercentOfTarget does nothing here (Kubernetes has a field for it since 1.35)",
            False,
        ),
        (
            saw(GOOD, KEDA_SAYS_YES, spec=KEDA, apis=TOLERANT | {"ScaledObject"}),
            "AutoscalingReady",
            "True",
            "Active",
            "belowPercentOfTarget does nothing here (KEDA has no field for it)",
            False,
        ),
        (
            saw(GOOD, ABLE, spec=HPA),
            "AutoscalingReady",
            "True",
            "ActiveByCPUOnly",
            "prometheus-adapter",
            False,
        ),
        (saw(GOOD, spec=HPA), "AutoscalingReady", "False", "AutoscalerStarting", "", False),
        (saw(GOOD, spec=BY_REQUESTS), "AutoscalingReady", "False", "CustomMetricsNotServed", "", True),
        (saw(GOOD, spec=KEDA), "AutoscalingReady", "False", "KindNotInstalled", "install KEDA", True),
        (
            saw(GOOD, KEDA_SAYS_NO, spec=KEDA, apis=frozenset({"ScaledObject"})),
            "AutoscalingReady",
            "False",
            "ScaledObjectNotReady",
            "bad query",
            False,
        ),
        (
            saw(GOOD, HPA_OF_KEDA, spec=KEDA, apis=frozenset({"ScaledObject"})),
            "AutoscalingReady",
            "False",
            "FailedGetExternalMetric",
            "no answer",
            False,
        ),
        (saw(GOOD, child("Service"), spec=BALANCED), "Exposed", "False", "LoadBalancerPending", "", False),
        (
            saw(GOOD, child("Service", status=ADDRESS), spec=BALANCED),
            "Exposed",
            "True",
            "Published",
            "",
            False,
        ),
        (
            saw(GOOD, child("Ingress", spec={"ingressClassName": "nginx"}), spec=INGRESS),
            "Exposed",
            "False",
            "IngressPending",
            "class nginx",
            False,
        ),
        (saw(GOOD, spec=ROUTE), "Exposed", "False", "KindNotInstalled", "the Gateway API", True),
        (
            saw(GOOD, route(), spec=ROUTE, apis=frozenset({"HTTPRoute"})),
            "Exposed",
            "False",
            "RoutePending",
            "Gateway public",
            False,
        ),
        (
            saw(
                GOOD,
                route(condition("Accepted", "False", "NotAllowedByListeners", "not you")),
                spec=ROUTE,
                apis=frozenset({"HTTPRoute"}),
            ),
            "Exposed",
            "False",
            "NotAllowedByListeners",
            "Gateway public refuses the HTTPRoute: not you",
            True,
        ),
        (
            saw(
                GOOD,
                route(condition("Accepted", "True", "Accepted", "")),
                spec=ROUTE,
                apis=frozenset({"HTTPRoute"}),
            ),
            "Exposed",
            "True",
            "Published",
            "",
            False,
        ),
        (
            saw(GOOD, spec=MONITORED, apis=frozenset({"ServiceMonitor"})),
            "MonitoringReady",
            "False",
            "KindNotInstalled",
            "spec.monitoring.prometheusRule",
            True,
        ),
        (
            saw(GOOD, spec=MONITORED, apis=frozenset({"ServiceMonitor", "PrometheusRule"})),
            "MonitoringReady",
            "True",
            "Configured",
            "",
            False,
        ),
    ],
)
def test_features_have_conditions_of_their_own(
    seen: Observed, kind: str, state: str, reason: str | None, words: str, degraded: bool
) -> None:
    found = conditions(seen)
    assert found[kind] == (state, reason or "FailedGetResourceMetric")
    assert words in message(seen, kind)
    assert found["Ready"] == ("True", "Ready")
    assert found["Degraded"][0] == str(degraded)


TO_ZERO = spec_of(
    autoscaling={
        "type": "KEDA",
        "minReplicas": 0,
        "prometheusAddress": "http://p:9090",
        "activationQuery": "up",
    }
)
NO_PODS = {**deployment(), "spec": {"replicas": 0}}
WITH_KEDA = frozenset({"ScaledObject"})


def test_no_pod_is_ready_while_keda_can_start_one() -> None:
    awake = status_of(saw(GOOD, KEDA_SAYS_YES, spec=TO_ZERO, apis=WITH_KEDA))
    awake["model"] = {"name": "tiny", "digest": "sha256:1"}
    asleep = saw(NO_PODS, KEDA_SAYS_YES, spec=TO_ZERO, apis=WITH_KEDA)
    found = status_of(asleep, awake)
    told = {c["type"]: (c["status"], c["reason"]) for c in found["conditions"]}
    assert told["Ready"] == ("True", "ScaledToZero")
    assert told["Available"] == ("False", "ScaledToZero")
    assert told["ModelReady"] == ("True", "Installed")
    assert told["Progressing"] == ("False", "Settled")
    assert told["Degraded"] == ("False", "AsExpected")
    assert told["AutoscalingReady"] == ("True", "Active")
    assert "activationQuery" in message(asleep)
    event = transition(awake, found)
    assert event is not None
    assert event[:2] == ("Normal", "ScaledToZero")


@pytest.mark.parametrize(
    ("scaler", "apis", "reason"),
    [
        (KEDA_SAYS_NO, WITH_KEDA, "ScaledObjectNotReady"),
        (KEDA_SAYS_YES, frozenset(), "KindNotInstalled"),
        (child("ScaledObject"), WITH_KEDA, "AutoscalerStarting"),
    ],
)
def test_no_pod_is_not_ready_while_nobody_can_start_one(
    scaler: dict[str, Any], apis: frozenset[str], reason: str
) -> None:
    found = conditions(saw(NO_PODS, scaler, spec=TO_ZERO, apis=apis))
    assert found["Ready"] == ("False", reason)
    assert found["Available"] == ("False", "ScaledToZero")


def test_one_that_is_woken_is_starting() -> None:
    waking = deployment(replicas=1, updatedReplicas=1)
    found = conditions(saw(waking, KEDA_SAYS_YES, spec=TO_ZERO, apis=WITH_KEDA))
    assert found["Ready"] == ("False", "Starting")


def test_a_tolerance_that_works_is_not_spoken_of() -> None:
    told = message(saw(GOOD, ABLE, spec=HPA, apis=TOLERANT), "AutoscalingReady")
    assert told == "The autoscaler sets the number of pods."


def test_a_feature_that_is_not_asked_for_has_no_condition() -> None:
    assert set(conditions(saw(GOOD))) == {"Ready", "Available", "ModelReady", "Progressing", "Degraded"}


def test_a_feature_that_cannot_be_had_is_an_event() -> None:
    well = status_of(saw(GOOD))
    worse = status_of(saw(GOOD, spec=KEDA), well)
    found = transition(well, worse)
    assert found is not None
    assert found[:2] == ("Warning", "KindNotInstalled")
    assert transition(worse, worse) is None
    assert transition(worse, well) == ("Normal", "AsExpected", "Nothing is wrong.")
