"""No request is lost while pods come and go."""

from functools import partial
from typing import Any

import pytest

from .demo import OPERATOR_NAMESPACE, wait_ready
from .load import load
from .provider import Cluster
from .wait import quiet, wait_for

pytestmark = pytest.mark.e2e

NAME = "busy"


def manifest(**spec: Any) -> dict[str, Any]:
    storage = {"accessMode": "ReadWriteMany", "storageClassName": "shared"}
    return {
        "apiVersion": "sentiment-operator.io/v1alpha1",
        "kind": "SentimentService",
        "metadata": {"name": NAME},
        "spec": {"replicas": 2, "serving": {"warmUp": True}, "storage": storage, **spec},
    }


def apply(cluster: Cluster, namespace: str, **spec: Any) -> dict[str, Any]:
    cluster.apply(manifest(**spec), namespace)
    return wait_ready(cluster, namespace, NAME, quiet)


def pods(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    found = cluster.get("-n", namespace, "pods", "-l", f"app.kubernetes.io/instance={NAME}")
    return list(found["items"])


def uids(cluster: Cluster, namespace: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods(cluster, namespace)}


def claim_uid(cluster: Cluster, namespace: str) -> str:
    claim = cluster.get("-n", namespace, "persistentvolumeclaim", f"{NAME}-models")
    return str(claim["metadata"]["uid"])


def replaced(cluster: Cluster, namespace: str, old: set[str]) -> bool:
    """Both pods are new ones, and answer."""
    status = cluster.get("-n", namespace, "deployment", NAME).get("status", {})
    now = uids(cluster, namespace)
    return status.get("readyReplicas") == 2 and len(now) == 2 and not now & old


def test_rolling_update_and_pod_deletion_lose_nothing(cluster: Cluster, namespace: str) -> None:
    apply(cluster, namespace)
    claim = claim_uid(cluster, namespace)
    with load(cluster, namespace, NAME) as outcome:
        old = uids(cluster, namespace)
        apply(cluster, namespace, serving={"warmUp": True, "logPreviewChars": 0})
        wait_for("a rolled-out change", partial(replaced, cluster, namespace, old), 120)
        first, _ = pods(cluster, namespace)
        cluster.kubectl("-n", namespace, "delete", "pod", first["metadata"]["name"])
        gone = {first["metadata"]["uid"]}
        wait_for("two ready pods again", partial(_two_without, cluster, namespace, gone), 60)
    assert outcome.failed == []
    assert outcome.sent > 50
    assert claim_uid(cluster, namespace) == claim


def _two_without(cluster: Cluster, namespace: str, gone: set[str]) -> bool:
    status = cluster.get("-n", namespace, "deployment", NAME).get("status", {})
    return status.get("readyReplicas") == 2 and not uids(cluster, namespace) & gone


def test_node_drain_and_an_absent_operator_lose_nothing(cluster: Cluster, namespace: str) -> None:
    nodes = sorted(node["metadata"]["name"] for node in cluster.get("nodes")["items"])
    assert len(nodes) >= 2, "draining needs a second node"
    apply(cluster, namespace)
    operator = ["-n", OPERATOR_NAMESPACE, "scale", "deployment/sentiment-operator"]
    wanted = cluster.get("-n", OPERATOR_NAMESPACE, "deployment", "sentiment-operator")["spec"]["replicas"]
    drained = nodes[1]
    assert drained in {pod["spec"]["nodeName"] for pod in pods(cluster, namespace)}, "pods are not spread"
    try:
        with load(cluster, namespace, NAME, node=nodes[0]) as outcome:
            cluster.kubectl(*operator, "--replicas=0")
            # By force: the provisioner's helper pods, which clear other tests' volumes, have no controller.
            options = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=120s"]
            cluster.kubectl("drain", drained, *options)
            wait_for("all pods on the other node", partial(_moved, cluster, namespace, drained), 60)
            cluster.kubectl("uncordon", drained)
            cluster.kubectl(*operator, f"--replicas={wanted}")
            rollout = ["rollout", "status", "deployment/sentiment-operator"]
            cluster.kubectl("-n", OPERATOR_NAMESPACE, *rollout)
    finally:
        cluster.kubectl("uncordon", drained)
        cluster.kubectl(*operator, f"--replicas={wanted}")
    assert outcome.failed == []
    assert outcome.sent > 50


def _moved(cluster: Cluster, namespace: str, drained: str) -> bool:
    status = cluster.get("-n", namespace, "deployment", NAME).get("status", {})
    places = {pod["spec"]["nodeName"] for pod in pods(cluster, namespace) if "nodeName" in pod["spec"]}
    return status.get("readyReplicas") == 2 and drained not in places
