"""A cgroup for all that one machine of ours runs, under every hierarchy (v1 and v2)."""

import os
import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def make(name: str) -> None:
    """Make it, so that processes may enter."""
    if (_ROOT / "cgroup.controllers").exists():
        controllers = " ".join(f"+{one}" for one in (_ROOT / "cgroup.controllers").read_text().split())
        (_ROOT / "cgroup.subtree_control").write_text(controllers)
        child = _ROOT / name
        child.mkdir(exist_ok=True)
        (child / "cgroup.subtree_control").write_text(controllers)
        return
    for hierarchy in _ROOT.iterdir():
        if hierarchy.is_symlink() or not (hierarchy / "cgroup.procs").exists():
            continue
        child = hierarchy / name
        child.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # empty at first, and then no process may enter
            if (child / setting).exists():
                (child / setting).write_text((hierarchy / setting).read_text())


def remove(prefix: str) -> None:
    """Remove all that begin so, when their processes have ended."""
    for top in _ROOT.glob(f"**/{prefix}*"):
        for folder, _, _ in os.walk(top, topdown=False):
            deadline = time.monotonic() + 10
            while True:
                try:
                    Path(folder).rmdir()
                    break
                except OSError:  # the kernel is still taking the last process out
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
