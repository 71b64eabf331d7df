"""How many CPUs this process may really use: affinity and the cgroup's quota, not the host's cores."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_threads(root: Path = Path("/")) -> int:
    """At least one; a quota of 1.5 CPUs gives two threads."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota(root)
    return max(1, affinity if quota is None else min(affinity, math.ceil(quota)))


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """CPUs granted by the tightest cgroup (v2 or v1) from this process's own up; None: no limit."""
    quotas = [
        _v2(directory) if version == 2 else _v1(directory)
        for version, directory in cgroup_directories("cpu", root)
    ]
    return min((quota for quota in quotas if quota is not None), default=None)


def cgroup_directories(controller: str, root: Path) -> Iterator[tuple[int, Path]]:
    """The cgroup version and the directory of this process's own cgroup and of each of its parents."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from ((2, d) for d in _upwards(root / "sys/fs/cgroup", path))
        elif controller in controllers.split(","):
            for mount in dict.fromkeys((controller, "cpu,cpuacct", controllers)):
                yield from ((1, d) for d in _upwards(root / "sys/fs/cgroup" / mount, path))


def _upwards(mount: Path, path: str) -> list[Path]:
    """The cgroup's directory and its parents. In a container the path may be the host's: then the mount."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return [mount.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]


def _v2(directory: Path) -> float | None:
    match _read(directory / "cpu.max").split():
        case [quota, period] if quota != "max":
            return int(quota) / int(period)
    return None


def _v1(directory: Path) -> float | None:
    quota = _read(directory / "cpu.cfs_quota_us").strip()
    period = _read(directory / "cpu.cfs_period_us").strip()
    if quota and period and int(quota) > 0:
        return int(quota) / int(period)
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
