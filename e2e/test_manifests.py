"""The kustomize install and the bundle for OLM are the chart's."""

import pytest

from .manifests import generated
from .olm import bundle

pytestmark = pytest.mark.e2e


def test_what_is_made_of_the_chart_is_current() -> None:
    made = generated() | bundle.generated()
    assert set(bundle.FOLDER.rglob("*.yaml")) <= made.keys()
    stale = [path.name for path, text in made.items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make generate`"
