"""The Kubernetes versions that can be built beside the node's."""

import re
from pathlib import Path

import pytest
import yaml

from e2e.cluster import kubernetes
from e2e.cluster.errors import ClusterError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("version", kubernetes.versions())
def test_a_versions_modules_are_all_of_it(version: str) -> None:
    pins = (Path(kubernetes.__file__).parent / version / "go.mod").read_text()
    assert re.findall(r"k8s\.io/kubernetes (\S+)$", pins, re.M) == [f"v{version}"]
    staged = re.findall(r"k8s\.io/\S+ => k8s\.io/\S+ (\S+)$", pins, re.M)
    assert set(staged) == {version.replace("1.", "v0.", 1)}


def test_the_oldest_that_the_chart_takes_can_be_built() -> None:
    chart = yaml.safe_load((ROOT / "charts/sentiment-operator/Chart.yaml").read_text())
    oldest = chart["kubeVersion"].removeprefix(">=").removesuffix("0-0")
    assert any(version.startswith(oldest) for version in kubernetes.versions())


def test_a_version_that_cannot_be_built_is_refused_with_those_that_can(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=re.escape(", ".join(kubernetes.versions()))):
        kubernetes.link_control_plane(tmp_path / "bin", "1.2.3")
