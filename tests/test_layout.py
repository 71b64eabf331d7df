"""The source trees must never shadow the standard library's `operator` module."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_source_roots_are_no_packages() -> None:
    assert not (ROOT / "operator/__init__.py").exists()
    assert not (ROOT / "service/__init__.py").exists()
