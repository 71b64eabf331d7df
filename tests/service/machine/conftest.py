"""Instances that nginx stands in front of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.service.running import Running, running, wait_for


@pytest.fixture(scope="package")
def three(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    with ExitStack() as stack:
        services = [
            stack.enter_context(running(package, tmp_path_factory.mktemp(name), warm_up=True))
            for name in ("first", "second", "third")
        ]
        for service in services:
            wait_for("readiness", service.ready)
        yield services
