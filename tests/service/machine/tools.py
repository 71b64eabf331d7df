"""systemd's own programs: Debian's, unpacked."""

from __future__ import annotations

import os
from pathlib import Path

from e2e.cluster.debian import unpacked


def program(name: str) -> Path:
    """One of systemd's; Debian moves them from /bin and /lib to /usr."""
    tree = unpacked("systemd").parents[1]
    return next(path for path in tree.rglob(name) if path.is_file() and os.access(path, os.X_OK))


def library() -> Path:
    """The folder of the library that they all need."""
    return next(unpacked("libsystemd-shared", "usr/lib").rglob("libsystemd-shared-*.so")).parent
