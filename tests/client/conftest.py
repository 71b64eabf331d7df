"""A real service, asked by the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.running import Running, running, wait_for
from tests.service.tiny_model import write_package


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def service(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(package, tmp_path_factory.mktemp("service"), warm_up=True) as service:
        wait_for("the service to be ready", service.ready)
        yield service
