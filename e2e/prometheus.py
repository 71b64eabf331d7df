"""Prometheus and promtool: Debian's package, unpacked and not installed, which would start a server."""

import os
import shutil
import tempfile
from pathlib import Path

from .cluster.errors import ClusterError
from .cluster.packages import refresh_lists
from .cluster.paths import cache_home
from .cluster.progress import step
from .cluster.shell import run

PACKAGE = "prometheus"


def programs() -> Path:
    """The folder with `prometheus` and `promtool`; unpacked when it is not there."""
    unpacked = cache_home() / "bin" / PACKAGE
    found = unpacked / "usr" / "bin"
    if found.exists():
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ClusterError("promtool is missing, and only Debian's package of it is known here.")
    with step("unpacking prometheus"), tempfile.TemporaryDirectory(dir=cache_home()) as scratch:
        folder = Path(scratch)
        folder.chmod(0o777)  # apt fetches as a user of its own
        refresh_lists()
        run(["apt-get", "download", "-qq", PACKAGE], what="apt-get download", cwd=folder)
        [archive] = folder.glob("*.deb")
        run(["dpkg-deb", "-x", archive, folder / "tree"], what="dpkg-deb")
        try:
            os.rename(folder / "tree", unpacked)
        except OSError:  # another process was quicker
            if not found.exists():
                raise
    return found
