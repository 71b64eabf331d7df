"""With a real Prometheus: what the operator asks for is scraped, an alert fires, reaches a receiver and
clears, and pods follow the requests in progress.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest

from .browsing import port_forward
from .cluster import monitoring
from .demo import OPERATOR_NAMESPACE, wait_ready
from .load import load
from .provider import CHART, Cluster, add_monitoring, image_values
from .wait import quiet, wait_for

pytestmark = pytest.mark.e2e

# Says on its standard output what Alertmanager sends.
_RECEIVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""
_POD: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
_LOCKED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


@dataclass
class Prometheus:
    """Its HTTP API."""

    http: httpx.Client

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        answer = self.http.get("/api/v1/query", params={"query": expression})
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def targets_up(self, namespace: str) -> Callable[[], bool]:
        """Whether there are targets in the namespace, all scraped."""

        def probe() -> bool:
            active = self.http.get("/api/v1/targets", params={"state": "active"}).json()["data"][
                "activeTargets"
            ]
            ours = [target["health"] for target in active if target["labels"].get("namespace") == namespace]
            return bool(ours) and set(ours) == {"up"}

        return probe


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster) -> Iterator[Prometheus]:
    """A Prometheus in the cluster; the operator's own metrics are asked for as its chart offers."""
    add_monitoring(cluster)
    chart = [str(CHART), f"--namespace={OPERATOR_NAMESPACE}", *image_values()]
    cluster.helm(
        "upgrade", "sentiment-operator", *chart, "--set=metrics.serviceMonitor.enabled=true", "--wait"
    )
    with (
        port_forward(cluster, monitoring.NAMESPACE, "prometheus", 9090) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        yield Prometheus(http)


def _receiver(cluster: Cluster, namespace: str) -> None:
    labels = {"app": "receiver"}
    container = {
        "name": "receiver",
        "image": "sentiment-operator/base:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-u", "-c", _RECEIVER],
        "securityContext": _LOCKED,
    }
    cluster.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "receiver", "labels": labels},
         "spec": {**_POD, "containers": [container]}},
        namespace,
    )  # fmt: skip
    cluster.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "receiver"},
         "spec": {"selector": labels, "ports": [{"port": 8080}]}},
        namespace,
    )  # fmt: skip
    route = {"receiver": "hook", "groupWait": "1s", "groupInterval": "5s", "repeatInterval": "1h"}
    hook = {
        "name": "hook",
        "webhookConfigs": [{"url": f"http://receiver.{namespace}.svc:8080/", "sendResolved": True}],
    }
    cluster.apply(
        {"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "AlertmanagerConfig",
         "metadata": {"name": "to-receiver"}, "spec": {"route": route, "receivers": [hook]}},
        namespace,
    )  # fmt: skip
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/receiver", "--timeout=60s")


def _received(cluster: Cluster, namespace: str, alert: str, status: str) -> Callable[[], bool]:
    def probe() -> bool:
        lines = cluster.kubectl("-n", namespace, "logs", "receiver").splitlines()
        sent = [one for line in lines if line.startswith("{") for one in json.loads(line)["alerts"]]
        return any(one["labels"]["alertname"] == alert and one["status"] == status for one in sent)

    return probe


def test_scraped_drawn_warned_of_and_cleared(
    cluster: Cluster, prometheus: Prometheus, namespace: str
) -> None:
    service = {
        "apiVersion": "sentiment-operator.io/v1alpha1",
        "kind": "SentimentService",
        "metadata": {"name": "reviews"},
        "spec": {
            "monitoring": {
                "serviceMonitor": {"interval": "5s", "scrapeTimeout": "5s"},
                "prometheusRule": {"thresholds": {"unavailableFor": "5s"}},
                "dashboard": {},
            }
        },
    }  # fmt: skip
    cluster.apply(service, namespace)
    _receiver(cluster, namespace)
    wait_ready(cluster, namespace, "reviews", quiet)
    for where in (namespace, OPERATOR_NAMESPACE):
        wait_for(f"targets of {where} that are up", prometheus.targets_up(where), 120)

    [dashboard] = cluster.get("-n", namespace, "configmap", "reviews-dashboard")["data"].values()
    with load(cluster, namespace, "reviews", callers=1):
        for panel in json.loads(dashboard)["panels"]:
            for target in panel["targets"]:
                wait_for(f"data in {panel['title']}", partial(prometheus.ask, target["expr"]), 120)
        recorded = f'sentimentservice:request_failures:ratio_rate5m{{namespace="{namespace}"}}'
        wait_for("the recorded share of failures", lambda: prometheus.ask(recorded), 120)

    alert = "SentimentServiceUnavailable"
    service["spec"]["replicas"] = 0  # type: ignore[index]
    cluster.apply(service, namespace)
    wait_for("the alert at the receiver", _received(cluster, namespace, alert, "firing"), 180)
    service["spec"]["replicas"] = 1  # type: ignore[index]
    cluster.apply(service, namespace)
    wait_for("its end at the receiver", _received(cluster, namespace, alert, "resolved"), 180)


@pytest.mark.usefixtures("prometheus")
def test_pods_follow_active_requests(cluster: Cluster, namespace: str) -> None:
    """Up under load and down after it, without a failed request in either direction."""
    service = {
        "apiVersion": "sentiment-operator.io/v1alpha1",
        "kind": "SentimentService",
        "metadata": {"name": "reviews"},
        "spec": {
            "serving": {"warmUp": True},
            "autoscaling": {
                "type": "HPA",
                "minReplicas": 1,
                "maxReplicas": 2,
                "targetCPUUtilizationPercent": 0,
                "targetActiveRequestsPerPod": 4,
                "scaleDown": {"stabilizationWindowSeconds": 0},
            },
            "monitoring": {"serviceMonitor": {"interval": "5s", "scrapeTimeout": "5s"}},
        },
    }
    cluster.apply(service, namespace)
    wait_ready(cluster, namespace, "reviews", quiet)

    def state() -> dict[str, Any]:
        status: dict[str, Any] = cluster.get("-n", namespace, "sentimentservice", "reviews")["status"]
        return status

    def scaling() -> str:
        found = [one for one in state()["conditions"] if one["type"] == "AutoscalingReady"]
        return found[0]["reason"] if found else ""

    wait_for("the HPA to have its metric", lambda: scaling() == "Active", 120)
    with load(cluster, namespace, "reviews", callers=2) as light:
        with load(cluster, namespace, "reviews", callers=24) as heavy:
            wait_for("a second pod that answers", lambda: state().get("readyReplicas") == 2, 180)
        wait_for("one pod again", lambda: state().get("replicas") == 1, 240)
    assert (light.failed, heavy.failed) == ([], [])
    assert light.sent > 0
    assert heavy.sent > 0
