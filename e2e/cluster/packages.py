"""Debian packages that the embedded node needs, installed when we may."""

import os
import shutil
from pathlib import Path

from .errors import ClusterError
from .progress import step
from .shell import run

# package → a file that only it brings
NODE_PACKAGES = {
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "iproute2": "ip",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}


def _present(probe: str) -> bool:
    if probe.startswith("/"):
        return Path(probe).exists()
    return shutil.which(probe, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None


def refresh_lists() -> None:
    """What apt can install; as root only, others take the lists that are there."""
    if os.geteuid() == 0:
        run(["apt-get", "update", "-qq"], what="apt-get update")


def ensure_packages(packages: dict[str, str]) -> None:
    """Install what is missing with apt, or say in one sentence what to install."""
    missing = [name for name, probe in packages.items() if not _present(probe)]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"These programs are missing: install the Debian packages {' '.join(missing)}.")
    with step(f"installing {' '.join(missing)}"):
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        refresh_lists()
        run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
            what="apt-get install",
            env=env,
        )
