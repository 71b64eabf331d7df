"""`make release`: everything that a release holds, in dist/."""

import sys

from ..cluster.errors import ClusterError
from ..cluster.paths import REPO
from ..cluster.progress import console
from ..version import VERSION
from .build import release, why_no_release


def main() -> int:
    """Make it; what is no release yet is made too, and called a snapshot."""
    try:
        files = release(REPO / "dist")
        missing = why_no_release()
    except ClusterError as error:
        console.print(str(error), markup=False)
        return 1
    for file in files:
        print(f"{file.stat().st_size / 1e6:8.1f} MB  {file.relative_to(REPO)}")
    if missing:
        print(f"A snapshot, and no release of {VERSION}: " + "; ".join(missing) + ".")
    return 0


sys.exit(main())
