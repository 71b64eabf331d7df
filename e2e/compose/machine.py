"""Debian's Docker on a machine of its own: process 1 of its namespaces, started by `engine.py`.

Nothing of the host is changed but a cgroup folder. No route leads out of its network.
"""

import os
import signal
import socket
import sys
from pathlib import Path

from ..cluster import cgroups
from ..cluster.control_plane import Supervisor
from ..cluster.debian import unpacked
from ..cluster.node import reap
from ..cluster.shell import run


def address(folder: Path) -> str:
    """Where its Docker answers, as DOCKER_HOST has it."""
    return f"unix://{folder / 'docker.sock'}"


def programs() -> str:
    """The folders of docker, dockerd and containerd, as PATH has them."""
    folders = [unpacked("docker.io", f"usr/{part}") for part in ("bin", "sbin")]
    return ":".join(map(str, [*folders, unpacked("containerd")]))


def main() -> None:
    """Arguments: the folder for all that it keeps, the name of its cgroup."""
    folder, cgroup = Path(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ["PATH"] = f"{programs()}:{os.environ['PATH']}"
    socket.sethostname("docker")
    cgroups.make(cgroup)
    run(["mount", "--make-rprivate", "/"], what="mount")
    run(["mount", "-t", "tmpfs", "tmpfs", "/run"], what="mount")
    run(["ip", "link", "set", "lo", "up"], what="ip link")
    supervisor = Supervisor(unpacked("docker.io", "usr/sbin"), folder / "logs")
    try:
        supervisor.start(
            "dockerd",
            f"--data-root={folder / 'data'}",
            f"--host={address(folder)}",
            f"--cgroup-parent=/{cgroup}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--oom-score-adjust=0",  # containers and CI machines often lack CAP_SYS_RESOURCE
        )
        reap(supervisor)
    finally:
        supervisor.stop()


if __name__ == "__main__":
    main()
