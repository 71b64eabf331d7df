"""`make release`: everything that a release holds, in dist/; with architectures, images for these alone."""

import sys

from ..cluster.emulation import MACHINES, why_not
from ..cluster.errors import ClusterError
from ..cluster.paths import REPO
from ..cluster.progress import console
from ..version import VERSION
from .build import release, why_no_release


def main() -> int:
    """Make it; what is no release yet is made too, and called a snapshot."""
    asked = sys.argv[1:]
    lacking = {} if asked else {one: why for one in MACHINES if (why := why_not(one))}
    try:
        files = release(REPO / "dist", asked or [one for one in MACHINES if one not in lacking])
        missing = why_no_release()
    except ClusterError as error:
        console.print(str(error), markup=False)
        return 1
    for file in files:
        print(f"{file.stat().st_size / 1e6:8.1f} MB  {file.relative_to(REPO)}")
    for architecture, why in lacking.items():
        print(f"No images for {architecture}. {why}")
    if missing:
        print(f"A snapshot, and no release of {VERSION}: " + "; ".join(missing) + ".")
    return 0


sys.exit(main())
