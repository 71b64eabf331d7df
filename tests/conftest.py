"""Fixtures that several tiers share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing")


@pytest.fixture(scope="session")
def control_plane() -> "Iterator[ClusterPaths]":
    """A real API server, etcd and controller manager without nodes; `.kubeconfig` is the admin's."""
    import os

    from e2e.cluster.embedded import control_plane

    with control_plane(f"tests-{os.getpid()}") as paths:
        yield paths
