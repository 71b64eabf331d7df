"""The promise to users: one YAML becomes an answering service, and stays one."""

import json
import re
from functools import partial
from typing import Any

import pytest

from .ask import ask, client_pod, run_python
from .cluster.errors import ClusterError
from .cluster.paths import REPO
from .demo import OPERATOR_NAMESPACE, wait_ready
from .provider import Cluster
from .wait import quiet, wait_for

pytestmark = pytest.mark.e2e

SAMPLES = str(REPO / "manifests" / "samples")
ARTICLE_EXAMPLES = {
    "服务态度很好，解决问题很快": {"积极"},
    "产品质量一般，没有宣传的那么好": {"消极", "中性"},
    "物流速度太慢了，等了一周才到": {"消极"},
    "客服完全不理人，差评": {"消极"},
    "价格实惠，性价比高": {"积极"},
}


def apply_sample(cluster: Cluster, namespace: str) -> dict[str, Any]:
    cluster.kubectl("-n", namespace, "apply", "--server-side", "-f", SAMPLES)
    return wait_ready(cluster, namespace, "reviews", quiet)


def is_new(cluster: Cluster, namespace: str, kind: str, name: str, old_uid: str) -> bool:
    query = ["get", kind, name, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"]
    return cluster.kubectl("-n", namespace, *query) not in ("", old_uid)


def has_none(cluster: Cluster, namespace: str, kind: str) -> bool:
    return not cluster.get("-n", namespace, kind)["items"]


def test_sample_answers_over_dns(cluster: Cluster, namespace: str) -> None:
    service = apply_sample(cluster, namespace)
    url = service["status"]["url"]
    assert url == f"http://reviews.{namespace}.svc:7860"
    answers = ask(cluster, namespace, url, list(ARTICLE_EXAMPLES))
    for (text, allowed), answer in zip(ARTICLE_EXAMPLES.items(), answers, strict=True):
        assert answer["success"] is True
        assert answer["data"]["text"] == text
        assert answer["data"]["sentiment"] in allowed
        assert answer["request_id"]
    fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
    metrics = run_python(cluster, namespace, fetch, f"{url}/metrics")
    for name in (
        "structbert_requests_total",
        "structbert_request_latency_seconds",
        "structbert_active_requests",
        "structbert_memory_usage_bytes",
    ):
        assert name in metrics
    health = json.loads(run_python(cluster, namespace, fetch, f"{url}/health"))
    assert (health["status"], health["model_loaded"]) == ("healthy", True)
    wide = cluster.kubectl("-n", namespace, "get", "sentimentservice", "-o", "wide")
    assert url in wide


def test_pods_are_locked_down(cluster: Cluster, namespace: str) -> None:
    apply_sample(cluster, namespace)
    pods = cluster.get("-n", namespace, "pods", "-l", "app.kubernetes.io/instance=reviews")["items"]
    exec_in = ["-n", namespace, "exec", pods[0]["metadata"]["name"], "-c", "server", "--"]
    script = "import os; print(os.getuid()); print(os.path.exists('/var/run/secrets/kubernetes.io'))"
    assert cluster.kubectl(*exec_in, "/app/bin/python", "-c", script).split() == ["1000", "False"]
    for folder in ("/", "/models", "/app"):
        with pytest.raises(ClusterError, match="Read-only file system"):
            cluster.kubectl(*exec_in, "/app/bin/python", "-c", f"open('{folder}/x', 'w')")


def test_deleted_children_come_back(cluster: Cluster, namespace: str) -> None:
    service = apply_sample(cluster, namespace)
    for kind, name in (("service", "reviews"), ("deployment", "reviews")):
        old = cluster.get("-n", namespace, kind, name)["metadata"]["uid"]
        cluster.kubectl("-n", namespace, "delete", kind, name)
        wait_for(f"a new {kind}", partial(is_new, cluster, namespace, kind, name, old))
    wait_ready(cluster, namespace, "reviews", quiet)
    wait_for(
        "the deployment's pods ready",
        lambda: cluster.get("-n", namespace, "deployment", "reviews").get("status", {}).get("readyReplicas"),
    )
    assert ask(cluster, namespace, service["status"]["url"], ["客服完全不理人，差评"])[0]["success"]


def test_scaling_shares_one_volume(cluster: Cluster, namespace: str) -> None:
    apply_sample(cluster, namespace)
    cluster.kubectl("-n", namespace, "scale", "sentimentservice", "reviews", "--replicas=2")
    wait_for(
        "two ready replicas",
        lambda: cluster.get("-n", namespace, "deployment", "reviews")["status"].get("readyReplicas") == 2,
    )
    claims = cluster.get("-n", namespace, "persistentvolumeclaims")["items"]
    assert [claim["status"]["phase"] for claim in claims] == ["Bound"]


def test_the_charts_own_test_passes(cluster: Cluster) -> None:
    cluster.helm("test", "sentiment-operator", f"--namespace={OPERATOR_NAMESPACE}", "--timeout=120s")


def test_delete_works_with_the_operator_down(cluster: Cluster, namespace: str) -> None:
    apply_sample(cluster, namespace)
    operator = ["-n", OPERATOR_NAMESPACE, "scale", "deployment/sentiment-operator"]
    cluster.kubectl(*operator, "--replicas=0")
    try:
        cluster.kubectl("-n", namespace, "delete", "sentimentservice", "reviews", "--timeout=30s")
        for kind in ("deployments", "services", "persistentvolumeclaims", "pods"):
            wait_for(f"no {kind}", partial(has_none, cluster, namespace, kind))
    finally:
        cluster.kubectl(*operator, "--replicas=2")
        cluster.kubectl("-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment/sentiment-operator")


def test_logs_are_json_lines(cluster: Cluster, namespace: str) -> None:
    service = apply_sample(cluster, namespace)
    client_pod(cluster, namespace)
    [answer] = ask(cluster, namespace, service["status"]["url"], ["价格实惠，性价比高"])
    log = cluster.kubectl("-n", namespace, "logs", "deployment/reviews", "-c", "server")
    lines = [json.loads(line) for line in log.splitlines()]
    [entry] = [line for line in lines if line.get("request_id") == answer["request_id"]]
    assert (entry["type"], entry["sentiment"], entry["text_length"]) == ("request", "积极", 9)


def test_metrics_server_measures_pods(cluster: Cluster, namespace: str) -> None:
    apply_sample(cluster, namespace)

    def top() -> bool:
        try:
            return bool(
                re.search(r"reviews-\S+\s+\d+m\s+\d+Mi", cluster.kubectl("-n", namespace, "top", "pods"))
            )
        except ClusterError:  # no figures before the first scrape of a new pod
            return False

    wait_for("figures of the pods", top, 90)
