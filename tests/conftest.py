"""Fixtures that several tiers share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths


@pytest.fixture(scope="session")
def control_plane() -> "Iterator[ClusterPaths]":
    """A real API server, etcd and controller manager without nodes; `.kubeconfig` is the admin's."""
    import os

    from e2e.cluster.embedded import control_plane

    with control_plane(f"tests-{os.getpid()}") as paths:
        yield paths
