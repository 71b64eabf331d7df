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
