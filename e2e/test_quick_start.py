"""docs/quick-start.md: every command that needs a cluster, as it stands there."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .cluster.paths import REPO
from .docs.blocks import blocks, script
from .provider import Cluster

pytestmark = pytest.mark.release


def answer(printed: str) -> dict[str, object]:
    """The service's answer among all that the commands print."""
    # curl ends it without a line break.
    decoded, _ = json.JSONDecoder().raw_decode(printed[printed.index('{"success"') :])
    found: dict[str, object] = decoded["data"]
    return found


def promised() -> dict[str, object]:
    """The answer that the README shows."""
    [shown] = [one.text for one in blocks(REPO / "README.md") if one.language == "json"]
    found: dict[str, object] = json.loads(shown)["data"]
    return found


def test_the_quick_start_from_top_to_bottom(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl", path=f"{Path(cluster.kubectl_start[0]).parent}:{os.environ['PATH']}")
    assert kubectl
    config = tmp_path / "kubeconfig"
    config.write_text(cluster.kubectl("config", "view", "--raw", "--minify", "--flatten"))
    environment = os.environ | {
        "KUBECONFIG": str(config),
        "PATH": f"{Path(kubectl).parent}:{os.environ['PATH']}",
    }
    commands = f"kubectl config set-context --current --namespace={namespace}\n" + script(
        REPO / "docs/quick-start.md"
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    given, shown = answer(done.stdout), promised()
    assert given.keys() == shown.keys()
    for name in ("text", "sentiment", "english_label"):
        assert given[name] == shown[name]
    assert given["confidence"] == pytest.approx(shown["confidence"], abs=0.01)
    assert cluster.get("-n", namespace, "sentimentservices")["items"] == []
