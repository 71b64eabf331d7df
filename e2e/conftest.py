"""One real cluster for all e2e tests: started if it isn't running, and then ended again."""

from collections.abc import Iterator

import pytest

from .cluster.paths import ClusterPaths
from .demo import install_operator
from .provider import Cluster, close_cluster, open_cluster

NAME = "e2e"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with the operator installed by its chart."""
    was_there = ClusterPaths(NAME).root.exists()
    try:
        opened = open_cluster(NAME, nodes=2)
        install_operator(opened)
        yield opened
    finally:
        if not was_there:
            close_cluster(NAME)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, under the restricted Pod Security Standard."""
    name = request.node.name.replace("_", "-").lower()[:63].rstrip("-")
    labels = ["pod-security.kubernetes.io/enforce=restricted"]
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, *labels)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
