"""Installs what every cluster has: DNS, metrics, dynamic volumes."""

import subprocess
from pathlib import Path

from ..build import bin_dir
from ..paths import ClusterPaths
from ..progress import step
from ..shell import run

MANIFESTS = Path(__file__).parent
_DEPLOYMENTS = ("coredns", "metrics-server", "local-path-provisioner")


def install_addons(paths: ClusterPaths) -> None:
    """Apply the add-ons and wait until they serve."""
    kubectl = [str(bin_dir() / "kubectl"), f"--kubeconfig={paths.kubeconfig}"]
    volumes = paths.root / "volumes"
    volumes.mkdir(exist_ok=True)
    with step("installing DNS, metrics and volumes"):
        for manifest in sorted(MANIFESTS.glob("*.yaml")):
            text = manifest.read_text().replace("@VOLUMES@", str(volumes))
            run(
                [*kubectl, "apply", "--server-side", "-f", "-"],
                what=f"applying {manifest.name}",
                stdin=text,
            )
        for deployment in _DEPLOYMENTS:
            run(
                [
                    *kubectl,
                    "-n",
                    "kube-system",
                    "rollout",
                    "status",
                    f"deployment/{deployment}",
                    "--timeout=120s",
                ],
                what=f"waiting for {deployment}",
            )


def metrics_available(paths: ClusterPaths) -> bool:
    """Whether `kubectl top` has figures yet."""
    command = [str(bin_dir() / "kubectl"), f"--kubeconfig={paths.kubeconfig}", "top", "node", "node1"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
