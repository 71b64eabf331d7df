"""Fixtures of the service's tests: an app over the tiny model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sentiment_service.app import create_app
from sentiment_service.settings import Settings
from starlette.testclient import TestClient

from tests.service.running import Running, running, wait_for
from tests.service.tiny_model import Serve, write_package


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def serve(package: Path) -> Iterator[Serve]:
    """A client of an app with the given settings; closed when the test ends."""
    with ExitStack() as stack:

        def start(*, loader: Any = None, **changes: Any) -> TestClient:
            settings = Settings(**{"model_dir": package, **changes})
            client = TestClient(create_app(settings, loader), raise_server_exceptions=False)
            return stack.enter_context(client)

        yield start


@pytest.fixture
def client(serve: Serve) -> TestClient:
    return serve()


@pytest.fixture(scope="session")
def server(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A process of its own, with the model loaded, that waits less long for slow clients than usual."""
    with running(
        package,
        tmp_path_factory.mktemp("server"),
        module="tests.service.impatient",
        warm_up=True,
        request_timeout_seconds=5,
    ) as service:
        wait_for("the service to be ready", service.ready)
        service.idle_files = service.parent.num_fds()
        yield service
