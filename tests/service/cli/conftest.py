"""The commands with the tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, package: Path) -> None:
    monkeypatch.setenv("MODEL_DIR", str(package))
