"""KEDA's own operator scales by what Prometheus says: up and down, and to no pod at all and back.

`make test-release`; KEDA takes ten minutes to build when it is not in the cache. `pytest -s` shows how long
each change took.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .alerting import Prometheus, connected
from .ask import client_pod, run_python
from .cluster.paths import ClusterPaths
from .demo import install_operator, wait_ready
from .load import load
from .provider import Cluster, add_ingress, add_keda, add_monitoring, close_cluster, open_cluster
from .wait import quiet, wait_for

pytestmark = pytest.mark.release
NAME = "keda"
HOST = "reviews.example.com"
MONITOR = {"interval": "5s", "scrapeTimeout": "5s"}
TRAEFIK = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PodMonitor",
    "metadata": {"name": "traefik"},
    "spec": {
        "selector": {"matchLabels": {"app": "traefik"}},
        "podMetricsEndpoints": [{"port": "metrics", "interval": "5s"}],
    },
}
# Asks through the ingress controller until there is an answer, for two minutes; says each status and when.
_ASK = """
import http.client, json, sys, time
begin, status = time.monotonic(), 0
while status != 200 and time.monotonic() < begin + 120:
    link = http.client.HTTPConnection("traefik.traefik", 80, timeout=30)
    headers = {"Host": sys.argv[1], "Content-Type": "application/json"}
    link.request("POST", "/api/v1/sentiment/analyze", json.dumps({"text": "好"}), headers)
    status = link.getresponse().status
    link.close()
    print(json.dumps([round(time.monotonic() - begin, 1), status]), flush=True)
    time.sleep(0.5)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A node with KEDA, Prometheus, and an ingress controller whose requests it counts."""
    was_there = ClusterPaths(NAME).root.exists()
    try:
        opened = open_cluster(NAME)
        add_ingress(opened)
        add_monitoring(opened)
        add_keda(opened)
        install_operator(opened)
        opened.apply(TRAEFIK, "traefik")
        yield opened
    finally:
        if not was_there:
            close_cluster(NAME)


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster) -> Iterator[Prometheus]:
    """Its HTTP API."""
    with connected(cluster) as found:
        yield found


def timed(what: str, probe: Callable[[], object], seconds: float) -> None:
    """Wait, and say how long it was."""
    begin = time.monotonic()
    wait_for(what, probe, seconds)
    print(f"{what}: {time.monotonic() - begin:.0f} s")


class Reviews:
    """A SentimentService that KEDA scales by active requests, two to a pod."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def apply(self, scaling: dict[str, Any], monitoring: dict[str, Any], **more: Any) -> None:
        """Ask for it, or for something else of it."""
        autoscaling = {
            "type": "KEDA",
            "maxReplicas": 3,
            "targetCPUUtilizationPercent": 0,
            "targetActiveRequestsPerPod": 2,
            "prometheusAddress": "http://prometheus.monitoring:9090",
            **scaling,
        }
        self.cluster.apply(
            {
                "apiVersion": "sentiment-operator.io/v1alpha1",
                "kind": "SentimentService",
                "metadata": {"name": "reviews"},
                "spec": {
                    "serving": {"warmUp": True},
                    "autoscaling": autoscaling,
                    "monitoring": monitoring,
                    **more,
                },
            },
            self.namespace,
        )

    def status(self) -> dict[str, Any]:
        """As the operator wrote it last."""
        found: dict[str, Any] = self.cluster.get("-n", self.namespace, "sentimentservice", "reviews")[
            "status"
        ]
        return found

    def pods(self) -> tuple[int, int]:
        """(pods that there are, pods that answer)."""
        found = self.status()
        return found["replicas"], found["readyReplicas"]

    def told(self, kind: str) -> tuple[str, str]:
        """(status, reason) of a condition."""
        found = (one for one in self.status()["conditions"] if one["type"] == kind)
        return next(((one["status"], one["reason"]) for one in found), ("", ""))


def test_pods_follow_active_requests(cluster: Cluster, namespace: str, prometheus: Prometheus) -> None:
    """Up under load and down after it, without a failed request in either direction."""
    reviews = Reviews(cluster, namespace)
    scale_down = {"podsPerMinute": 2, "stabilizationWindowSeconds": 30}
    reviews.apply({"minReplicas": 1, "scaleDown": scale_down}, {"serviceMonitor": MONITOR})
    wait_ready(cluster, namespace, "reviews", quiet)
    wait_for("targets that are up", prometheus.targets_up(namespace), 240)
    wait_for("KEDA to have its metric", lambda: reviews.told("AutoscalingReady") == ("True", "Active"), 120)
    with load(cluster, namespace, "reviews", callers=2) as light:
        with load(cluster, namespace, "reviews", callers=24) as heavy:
            timed("three pods that answer", lambda: reviews.pods() == (3, 3), 240)
        timed("one pod again", lambda: reviews.pods() == (1, 1), 240)
    assert (light.failed, heavy.failed) == ([], [])
    print(f"{light.sent} and {heavy.sent} requests were right")
    assert min(light.sent, heavy.sent) > 0


def test_pods_that_nobody_measures_stay(cluster: Cluster, namespace: str) -> None:
    """What Prometheus does not know, as after its restart, is not nothing."""
    reviews = Reviews(cluster, namespace)
    reviews.apply({"minReplicas": 1, "scaleDown": {"stabilizationWindowSeconds": 0}}, {})
    wait_ready(cluster, namespace, "reviews", quiet)
    wait_for("KEDA to miss it", lambda: reviews.told("AutoscalingReady") == ("False", "TriggerError"), 120)
    cluster.kubectl("-n", namespace, "scale", "deployment/reviews", "--replicas=3")

    def seen_by_hpa() -> bool:
        status = cluster.get("-n", namespace, "hpa", "keda-hpa-reviews").get("status", {})
        told = [one.get("reason") for one in status.get("conditions", ())]
        return status.get("currentReplicas") == 3 and "FailedGetExternalMetric" in told

    wait_for("the HPA to decide on three pods", seen_by_hpa, 120)
    assert reviews.pods()[0] == 3


def test_no_pod_until_somebody_asks(cluster: Cluster, namespace: str, prometheus: Prometheus) -> None:
    reviews = Reviews(cluster, namespace)
    seen_outside = f'traefik_router_requests_total{{service="{namespace}-reviews-http@kubernetes"}}'
    scaling = {
        "minReplicas": 0,
        "activationQuery": f"rate({seen_outside}[1m])",
        "scaleDown": {"stabilizationWindowSeconds": 30},
    }
    rule = {"thresholds": {"unavailableFor": "30s"}}
    access = {"ingress": {"className": "traefik", "host": HOST}}
    reviews.apply(scaling, {"serviceMonitor": MONITOR, "prometheusRule": rule}, access=access)
    wait_ready(cluster, namespace, "reviews", quiet)
    assert reviews.pods() == (1, 1), "it shows once that it can start"
    timed("no pod", lambda: reviews.pods() == (0, 0), 180)
    asleep = time.time()
    wait_for("rest", lambda: reviews.told("Ready") == ("True", "ScaledToZero"))
    assert reviews.told("Available") == ("False", "ScaledToZero")
    assert reviews.told("ModelReady") == ("True", "Installed")
    # An alert that missed the pods would have fired by then.
    wait_for("evaluations", lambda: prometheus.evaluated(namespace, "Unavailable") > asleep + 90, 150)
    assert prometheus.ask(f'ALERTS{{namespace="{namespace}"}}') == []

    client_pod(cluster, namespace)
    told = [json.loads(line) for line in run_python(cluster, namespace, _ASK, HOST).splitlines()]
    print("asked with no pod (seconds, status):", told)
    statuses = [status for _, status in told]
    assert (set(statuses[:-1]), statuses[-1]) == ({503}, 200)
    woken = time.time()
    wait_for("one pod", lambda: reviews.told("Ready") == ("True", "Ready"))

    # Who calls past the ingress wakes nobody, and is not left alone while he goes on.
    with load(cluster, namespace, "reviews", callers=1, pause=1) as inside:
        wait_for("nobody asking outside for long", lambda: time.time() > woken + 150, 180)
        assert reviews.pods() == (1, 1)
    assert inside.failed == []
    timed("no pod again", lambda: reviews.pods() == (0, 0), 300)
