"""How much memory the service uses, how much it may, and what to do about it. The decision is pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sentiment_service.cpu import cgroup_directories

# Below this share of the limit, a service that stepped out of readiness comes back.
_BACK_BELOW = 0.9
# Above this multiple of the limit, the engine is ended even while it runs.
_AT_ONCE_ABOVE = 1.08
_SHARE_OF_CGROUP = 0.85
# cgroup v1 writes "no limit" as the largest multiple of the page size.
_NO_LIMIT = 1 << 60


class Usage(NamedTuple):
    """Bytes over some processes; what they share is counted once."""

    pss: int
    unreclaimable: int
    """Without clean pages of mapped files: what the OOM killer counts."""


class Action(StrEnum):
    NONE = "none"
    TRIM = "trim"
    UNLOAD = "unload"
    STEP_OUT = "step out"
    COME_BACK = "come back"


class View(NamedTuple):
    """What the decision is about."""

    used: int
    limit: int
    loaded: bool
    idle: bool
    trimmed: bool
    """Memory was over the limit at the last look too, and was trimmed then."""
    out: bool
    """Stepped out of readiness."""


def decide(view: View) -> Action:
    """Over the limit: trim; unload when idle; step out so that it becomes idle; at last, end the engine.

    Without a loaded model nothing is left to give back: the service stays, and its operator is told.
    """
    if view.limit == 0:
        return Action.NONE
    if view.used <= view.limit:
        back = view.out and (view.used <= _BACK_BELOW * view.limit or not view.loaded)
        return Action.COME_BACK if back else Action.NONE
    if not view.loaded:
        return Action.COME_BACK if view.out else Action.NONE
    if view.used > _AT_ONCE_ABOVE * view.limit and view.trimmed:
        return Action.UNLOAD
    if not view.trimmed:
        return Action.TRIM
    if view.idle:
        return Action.UNLOAD
    return Action.NONE if view.out else Action.STEP_OUT


def how_many_go(excess: int, sizes: Sequence[int]) -> int:
    """How many of the idle models, the least recently used first, must go for so many bytes."""
    count = 0
    for size in sizes:
        if excess <= 0:
            break
        excess -= size
        count += 1
    return count


def soft_limit(setting: int, root: Path = Path("/")) -> int:
    """Bytes: the setting, else a share of the cgroup's limit; 0: none."""
    if setting:
        return setting
    limit = cgroup_limit(root)
    return 0 if limit is None else int(limit * _SHARE_OF_CGROUP)


def cgroup_limit(root: Path = Path("/")) -> int | None:
    """Bytes that the tightest memory cgroup (v2 or v1) allows; None: no limit."""
    limits = []
    for version, directory in cgroup_directories("memory", root):
        name = "memory.max" if version == 2 else "memory.limit_in_bytes"
        try:
            text = (directory / name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _NO_LIMIT:
            limits.append(int(text))
    return min(limits, default=None)


def usage(pids: Iterable[int]) -> Usage:
    """Summed over those of the processes that still run; zero where the system has no /proc."""
    pss = unreclaimable = 0
    for pid in pids:
        fields = _smaps(Path(f"/proc/{pid}/smaps_rollup"))
        pss += fields.get("Pss", 0)
        unreclaimable += fields.get("Pss_Anon", fields.get("Private_Dirty", 0)) + fields.get("Pss_Shmem", 0)
    return Usage(pss, unreclaimable)


def _smaps(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {
        name: int(value.split()[0]) * 1024
        for name, _, value in (line.partition(":") for line in lines[1:])
        if value
    }
