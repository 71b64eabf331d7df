"""The embedded node leaves nothing behind, and two stand side by side."""

import os
import subprocess
from pathlib import Path

import pytest

from .cluster import embedded
from .cluster.errors import ClusterError
from .cluster.node_config import Node
from .cluster.paths import ClusterPaths

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(os.environ.get("CONTEXT")), reason="the user's own cluster is used"),
]


def _traces(name: str) -> list[str]:
    root = str(ClusterPaths(name).root)
    found = [line for line in Path("/proc/mounts").read_text().splitlines() if root in line]
    found += [str(folder) for folder in Path("/sys/fs/cgroup").glob(f"**/{Node(name, 1).cgroup}")]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # ended meanwhile
            continue
        if f"clusters/{name}/" in command or f"e2e.cluster.node {name} " in command:
            found.append(command)
    return found


def _interfaces() -> set[str]:
    return set(os.listdir("/sys/class/net"))


def test_two_clusters_side_by_side_leave_nothing() -> None:
    interfaces = _interfaces()
    first = embedded.up("side-a")
    try:
        second = embedded.up("side-b")
        for paths in (first, second):
            shown = subprocess.run(
                [*embedded.kubectl(paths), "get", "nodes", "-o", "name"],
                capture_output=True,
                text=True,
                check=True,
            )
            assert shown.stdout.split() == ["node/node1"]
            assert _traces(paths.name)
    finally:
        embedded.down("side-a")
        embedded.down("side-b")
    for name in ("side-a", "side-b"):
        assert not ClusterPaths(name).root.exists()
        assert _traces(name) == []
    assert _interfaces() == interfaces


def test_no_root_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match=r"needs root\. Use a cluster that you have \(CONTEXT=name\)"):
        embedded.check_host()
