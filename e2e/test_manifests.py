"""The kustomize install is the chart's."""

import pytest

from .manifests import generated

pytestmark = pytest.mark.e2e


def test_the_kustomize_install_is_current() -> None:
    stale = [path.name for path, text in generated().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make generate`"
