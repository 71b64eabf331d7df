"""`make campaign`: the long fault campaign against a control plane of its own."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from e2e.cluster import embedded
from e2e.cluster.shell import run

from .run import ROOT, full


def main() -> int:
    """0 when nothing diverged."""
    parser = argparse.ArgumentParser(prog="python -m tests.operator.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws values and specs")
    parser.add_argument("--lanes", type=int, default=8, help="operators at the same time")
    # Of one in seven the API server refuses a child, and it does not count.
    parser.add_argument("--changes", type=int, default=600, help="changes between drawn specs")
    parser.add_argument("--report", type=Path, help="write the report there too")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # faults are what is wanted here
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the API server ends too
    with embedded.control_plane(f"campaign-{os.getpid()}") as paths:
        kubectl = embedded.kubectl(paths)
        run([*kubectl, "apply", "--server-side", "-f", str(ROOT / "crds")], what="installing the CRDs")
        run([*kubectl, "wait", "--for=condition=Established", "crd", "--all"], what="waiting for the CRDs")
        report = asyncio.run(
            full(
                paths.kubeconfig,
                seed=arguments.seed,
                lanes=arguments.lanes,
                changes=arguments.changes,
                say=lambda text: print(text, flush=True),
            )
        )
    print(report.text())
    if arguments.report:
        arguments.report.write_text(report.text() + "\n")
    return 1 if report.divergent else 0


if __name__ == "__main__":
    sys.exit(main())
