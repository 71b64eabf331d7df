"""Fixtures that several tiers share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths


@pytest.fixture(scope="session")
def control_plane() -> "Iterator[ClusterPaths]":
    """A real API server with etcd and the controller manager, without nodes; `.kubeconfig` is the administrator's."""
    import os

    from e2e.cluster.embedded import control_plane

    with control_plane(f"tests-{os.getpid()}") as paths:
        yield paths
