"""Programs of Debian packages, unpacked and not installed: installing them would start servers."""

import os
import shutil
import tempfile
from pathlib import Path

from .errors import ClusterError
from .packages import refresh_lists
from .paths import cache_home
from .progress import step
from .shell import run


def unpacked(package: str, programs: str = "usr/bin") -> Path:
    """The package's folder of programs; fetched with apt when it is not there."""
    target = cache_home() / "bin" / package
    found = target / programs
    if found.exists():
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ClusterError(f"{package} is missing, and only Debian's package of it is known here.")
    with step(f"unpacking {package}"), tempfile.TemporaryDirectory(dir=cache_home()) as scratch:
        folder = Path(scratch)
        folder.chmod(0o777)  # apt fetches as a user of its own
        refresh_lists()
        run(["apt-get", "download", "-qq", package], what="apt-get download", cwd=folder)
        [archive] = folder.glob("*.deb")
        run(["dpkg-deb", "-x", archive, folder / "tree"], what="dpkg-deb")
        try:
            os.rename(folder / "tree", target)
        except OSError:  # another process was quicker
            if not found.exists():
                raise
    return found
