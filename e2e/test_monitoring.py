"""With a real Prometheus: what the operator asks for is scraped and drawn, and pods follow their requests.

That each alert fires, reaches a receiver and clears takes half an hour: `make reliability`.
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from .alerting import Prometheus, connected
from .ask import ask
from .demo import OPERATOR_NAMESPACE, wait_ready
from .load import load
from .provider import CHART, Cluster, add_monitoring, image_values
from .wait import quiet, wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster) -> Iterator[Prometheus]:
    """A Prometheus in the cluster; the operator's own metrics are asked for as its chart offers."""
    add_monitoring(cluster)
    chart = [str(CHART), f"--namespace={OPERATOR_NAMESPACE}", *image_values()]
    cluster.helm(
        "upgrade",
        "sentiment-operator",
        *chart,
        "--set=metrics.serviceMonitor.enabled=true",
        "--set=metrics.dashboard.enabled=true",
        "--wait",
    )
    with connected(cluster) as found:
        yield found


def test_what_is_asked_for_is_scraped_and_drawn(
    cluster: Cluster, prometheus: Prometheus, namespace: str
) -> None:
    service = {
        "apiVersion": "sentiment-operator.io/v1alpha1",
        "kind": "SentimentService",
        "metadata": {"name": "reviews"},
        "spec": {
            "monitoring": {
                "serviceMonitor": {"interval": "5s", "scrapeTimeout": "5s"},
                "prometheusRule": {},
                "dashboard": {},
            }
        },
    }  # fmt: skip
    cluster.apply(service, namespace)
    wait_ready(cluster, namespace, "reviews", quiet)
    for where in (namespace, OPERATOR_NAMESPACE):
        wait_for(f"targets of {where} that are up", prometheus.targets_up(where), 120)

    # Rates need something between two scrapes: an operator with nothing to do makes no pass.
    cluster.kubectl("-n", namespace, "label", "sentimentservice", "reviews", "seen=scraped")
    with load(cluster, namespace, "reviews", callers=1):
        for where, name in ((namespace, "reviews"), (OPERATOR_NAMESPACE, "sentiment-operator")):
            [dashboard] = cluster.get("-n", where, "configmap", f"{name}-dashboard")["data"].values()
            for panel in json.loads(dashboard)["panels"]:
                for target in panel.get("targets", ()):
                    wait_for(f"data in {panel['title']}", partial(prometheus.ask, target["expr"]), 120)
        [dashboard] = cluster.get("-n", namespace, "configmap", "reviews-dashboard")["data"].values()
        panels = json.loads(dashboard)["panels"]
        [by_endpoint] = [panel for panel in panels if panel["title"] == "Requests by endpoint"]
        found = prometheus.ask(by_endpoint["targets"][0]["expr"])
        assert [one["metric"] for one in found] == [{"endpoint": "/api/v1/sentiment/analyze"}]
        recorded = f'sentimentservice:request_failures:ratio_rate5m{{namespace="{namespace}"}}'
        wait_for("the recorded share of failures", lambda: prometheus.ask(recorded), 120)
    _request_is_found_again(cluster, prometheus, namespace)


def _request_is_found_again(cluster: Cluster, prometheus: Prometheus, namespace: str) -> None:
    """By its caller's id: in the answer, in the pods' log, and among the exemplars that Prometheus keeps."""
    [answer] = ask(cluster, namespace, "http://reviews:7860", ["好"], {"X-Request-ID": "mine"})
    assert answer["request_id"] == "mine"
    lines = cluster.kubectl("-n", namespace, "logs", "-l", "app.kubernetes.io/instance=reviews", "--tail=-1")
    entries = [json.loads(line) for line in lines.splitlines()]
    assert [entry["type"] for entry in entries if entry.get("request_id") == "mine"] == ["request"]
    buckets = f'structbert_request_latency_seconds_bucket{{namespace="{namespace}"}}'
    wait_for("the exemplar", lambda: {"request_id": "mine"} in prometheus.exemplars(buckets))


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
