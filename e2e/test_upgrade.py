"""An upgrade of the operator is nothing that the pods of its services notice."""

import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from .cluster.images import EARLIER_OPERATOR
from .cluster.paths import REPO
from .demo import install_operator, wait_ready
from .load import load
from .provider import Cluster, add_image
from .wait import quiet, wait_for

pytestmark = pytest.mark.e2e

NAME = "steady"


@pytest.fixture
def earlier(cluster: Cluster, tmp_path: Path) -> Iterator[None]:
    """Instead of the present operator an earlier one: its chart, its CRDs and its program."""
    add_image(cluster, EARLIER_OPERATOR)
    with tarfile.open(REPO / EARLIER_OPERATOR.context / "0.1.0.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    try:
        install_operator(cluster, tmp_path / "charts" / "sentiment-operator", EARLIER_OPERATOR.name)
        yield
    finally:
        install_operator(cluster)


def apply(cluster: Cluster, namespace: str, **spec: Any) -> None:
    kind = {"apiVersion": "sentiment-operator.io/v1alpha1", "kind": "SentimentService"}
    spec = {"replicas": 1, "serving": {"warmUp": True}, **spec}
    cluster.apply({**kind, "metadata": {"name": NAME}, "spec": spec}, namespace)
    wait_ready(cluster, namespace, NAME, quiet)


def pods(cluster: Cluster, namespace: str) -> list[tuple[str, str, int]]:
    """Of each pod its UID, the hash of its template, and how often its containers were restarted."""
    found = cluster.get("-n", namespace, "pods", "-l", f"app.kubernetes.io/instance={NAME}")["items"]
    hashes = [pod["metadata"]["labels"]["pod-template-hash"] for pod in found]
    restarts = [sum(one["restartCount"] for one in pod["status"]["containerStatuses"]) for pod in found]
    return [(pod["metadata"]["uid"], *rest) for pod, *rest in zip(found, hashes, restarts, strict=True)]


def serves_several(cluster: Cluster) -> bool:
    """The CRD has a field that the earlier release did not know."""
    crd = cluster.get("crd", "sentimentservices.sentiment-operator.io")
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return "models" in schema["properties"]["spec"]["properties"]


def annotated(cluster: Cluster, namespace: str) -> bool:
    made = cluster.get("-n", namespace, "service", NAME)
    return bool(made["metadata"].get("annotations", {}).get("team") == "reviews")


@pytest.mark.usefixtures("earlier")
def test_an_upgrade_restarts_no_pod_and_loses_no_request(cluster: Cluster, namespace: str) -> None:
    assert not serves_several(cluster)
    apply(cluster, namespace)
    before = pods(cluster, namespace)
    with load(cluster, namespace, NAME) as outcome:
        install_operator(cluster)
        # The new one has been at work when it has done what only it was asked for.
        apply(cluster, namespace, access={"service": {"annotations": {"team": "reviews"}}})
        wait_for("the Service's annotation", partial(annotated, cluster, namespace))
    assert serves_several(cluster)
    assert len(before) == 1
    assert pods(cluster, namespace) == before
    assert outcome.failed == []
    assert outcome.sent > 50
