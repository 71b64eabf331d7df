"""`make reliability`: measures on the cluster of that name, its own when there is none, then rewrites
docs/reliability.md.
"""

import argparse
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from bench.paths import ROOT
from bench.record import record
from bench.reliability.alerts import prove
from bench.reliability.chaos import endure
from bench.reliability.faults import FAULTS, Fault
from bench.reliability.measure import heal
from bench.reliability.report import SECTIONS, by_section
from bench.reliability.scaling import follow
from bench.reliability.world import World
from bench.report import write
from e2e.cluster.paths import ClusterPaths
from e2e.demo import install_operator
from e2e.provider import Cluster, close_cluster, open_cluster

NAME = "reliability"
DOCUMENT = ROOT / "docs/reliability.md"
RESULTS = ROOT / "docs/reliability/results.json"
COMMAND = "make reliability"
_HEALING = [fault.name for fault in FAULTS]


def _parts(cluster: Cluster, minutes: float, seed: int) -> dict[str, Callable[[], dict[str, Any]]]:
    # Made once, when the first fault needs it.
    world = cache(partial(World, cluster))
    faults = {fault.name: partial(_heal, world, fault) for fault in FAULTS}
    chaos = partial(_chaos, world, minutes, seed)
    return {"alerts": partial(prove, cluster), "scaling": partial(follow, cluster), "chaos": chaos, **faults}


def _heal(world: Callable[[], World], fault: Fault) -> dict[str, Any]:
    return heal(world(), fault)


def _chaos(world: Callable[[], World], minutes: float, seed: int) -> dict[str, Any]:
    return endure(world(), minutes * 60, seed)


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    # Of the faults the last one costs the cluster its second node.
    known = ["alerts", "scaling", "chaos", "healing", *_HEALING]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(known)}; none: all")
    parser.add_argument("--minutes", type=float, default=30, help="how long chaos lasts")
    parser.add_argument("--seed", type=int, default=1, help="of the order of its faults")
    options = parser.parse_args()
    chosen = options.parts or known[:4]
    if unknown := set(chosen) - set(known):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(known)}")
    was_there = ClusterPaths(NAME).root.exists()
    cluster = open_cluster(NAME, nodes=2)
    try:
        install_operator(cluster)
        parts = _parts(cluster, options.minutes, options.seed)
        for name in [one for part in chosen for one in (_HEALING if part == "healing" else [part])]:
            results = record(RESULTS, name, parts[name])
            write(DOCUMENT, by_section(results), SECTIONS, COMMAND)
    finally:
        if not was_there:
            close_cluster(NAME)
    return 0


if __name__ == "__main__":
    sys.exit(main())
