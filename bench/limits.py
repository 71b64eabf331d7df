"""A cgroup that holds a process to what a container would give it; making one needs root."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000


@contextmanager
def held(cores: float, memory: int) -> Iterator[list[Path]]:
    """Doors of a cgroup (v1 or v2) with these limits (cores, bytes): see `enter`."""
    name, quota = f"sentiment-bench-{os.getpid()}", int(cores * _PERIOD)
    if (_ROOT / "cgroup.controllers").exists():
        limits = {_ROOT / name: {"memory.max": str(memory), "cpu.max": f"{quota} {_PERIOD}"}}
    else:
        limits = {
            _ROOT / "memory" / name: {"memory.limit_in_bytes": str(memory)},
            _ROOT / "cpu" / name: {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(quota)},
        }
    for folder, files in limits.items():
        folder.mkdir()
        for file, value in files.items():
            (folder / file).write_text(value)
    try:
        yield [folder / "cgroup.procs" for folder in limits]
    finally:
        for folder in limits:
            folder.rmdir()


def enter(doors: Iterable[Path]) -> None:
    """Put the calling process behind the doors, for good."""
    for door in doors:
        door.write_text("0")  # itself
