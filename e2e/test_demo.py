"""The quick start from the first command to the last, on the demo's own cluster: `make test-release`."""

import subprocess

import pytest

from .cluster.paths import REPO, ClusterPaths
from .demo import NAME
from .docs.blocks import script
from .test_quick_start import answer, promised

pytestmark = pytest.mark.release


def test_the_demo_as_the_quick_start_has_it() -> None:
    assert not ClusterPaths(NAME).root.exists(), "make demo-down first: this test makes the demo and ends it"
    commands = script(REPO / "docs/quick-start.md", with_cluster=True)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert answer(done.stdout)["sentiment"] == promised()["sentiment"]
    assert not ClusterPaths(NAME).root.exists()
