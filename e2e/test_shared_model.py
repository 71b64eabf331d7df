"""Pods on two nodes mount one model; they outlive the SentimentModel."""

from typing import Any

import pytest

from .ask import ask
from .demo import wait_ready
from .provider import Cluster
from .wait import quiet, wait_for

pytestmark = pytest.mark.e2e

API = "sentiment-operator.io/v1alpha1"
SHARED = {"size": "200Mi", "accessMode": "ReadWriteMany", "storageClassName": "shared"}
SPREAD = {"replicas": 2, "model": {"modelRef": {"name": "m"}}, "availability": {"antiAffinity": "Required"}}


def made(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def pods(cluster: Cluster, namespace: str) -> dict[str, str]:
    """uid → node."""
    mounting = cluster.get("-n", namespace, "pods", "-l", "app.kubernetes.io/name=sentiment-service")["items"]
    return {pod["metadata"]["uid"]: pod["spec"]["nodeName"] for pod in mounting}


def answers(cluster: Cluster, namespace: str) -> list[str]:
    told = ask(cluster, namespace, f"http://spread.{namespace}.svc:7860", ["性价比高，很满意"] * 4)
    return [one["data"]["sentiment"] for one in told]


def test_a_deleted_model_is_served_on_until_its_pods_go(cluster: Cluster, namespace: str) -> None:
    cluster.apply(made("SentimentModel", "m", {"source": {"bundled": {}}, "storage": SHARED}), namespace)
    cluster.apply(made("SentimentService", "spread", SPREAD), namespace)
    wait_ready(cluster, namespace, "spread", quiet)
    running = pods(cluster, namespace)
    assert len(set(running.values())) == 2, "one on each node"
    assert answers(cluster, namespace) == ["积极"] * 4

    cluster.kubectl("-n", namespace, "delete", "smodel", "m")

    def reason() -> str:
        told = cluster.get("-n", namespace, "sentimentservice", "spread")["status"]["conditions"]
        return str(next(one["reason"] for one in told if one["type"] == "Ready"))

    wait_for("the model is missed", lambda: reason() == "ModelNotFound")
    claim = cluster.get("-n", namespace, "persistentvolumeclaim", "m-model")
    assert claim["metadata"]["deletionTimestamp"], "it waits for the last pod"
    assert answers(cluster, namespace) == ["积极"] * 4
    assert pods(cluster, namespace) == running
    cluster.kubectl("-n", namespace, "delete", "ssvc", "spread")
    gone = ["-n", namespace, "get", "persistentvolumeclaim", "m-model", "--ignore-not-found", "-o", "name"]
    wait_for("no claim", lambda: not cluster.kubectl(*gone).strip())
