"""`make bench`: measures, then rewrites the tables and plots of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console

from bench import edge, gpu, latency, memory, operator, preparation, start, throughput, web
from bench.paths import ROOT
from bench.record import record
from bench.report import write

DOCUMENT = ROOT / "docs/benchmarks.md"
RESULTS = ROOT / "docs/benchmarks/results.json"


def _figures(measure: Callable[[Console], dict[str, str]]) -> Callable[[Console], dict[str, Any]]:
    return lambda console: {"figures": measure(console)}


PARTS: dict[str, Callable[[Console], dict[str, Any]]] = {
    "throughput": throughput.versus_peers,
    "latency": latency.latency,
    "gains": throughput.gains,
    "bundled": throughput.bundled,
    "memory": _figures(memory.measure),
    "start": _figures(start.measure),
    "edge": _figures(edge.measure),
    "web": _figures(web.measure),
    "operator": _figures(operator.new),
    "burst": _figures(operator.burst),
    "rest": _figures(operator.rest),
    "flood": _figures(operator.flood),
    "preparation": preparation.full_size,
    "pruning": preparation.trained,
    "soak": _figures(memory.soak),
    "gpu": gpu.measure,
}
# Ten minutes for one figure, and what needs a GPU: only when asked for.
ON_REQUEST = {"soak", "gpu"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    rest = " and ".join(sorted(ON_REQUEST))
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; none: all but {rest}"
    )
    chosen = parser.parse_args().parts or [name for name in PARTS if name not in ON_REQUEST]
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    # So that the servers are stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(stderr=True)
    failed = []
    for number, name in enumerate(chosen):
        console.rule(f"{name}, part {number + 1} of {len(chosen)}")
        try:
            _measure(name, console)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            # What was measured before is written, and the other parts do not depend on this one.
            console.print(f"{name} FAILED: {error}", style="red", markup=False)
            failed.append(name)
    if failed:
        console.print(f'Failed; again with: make bench ONLY="{" ".join(failed)}"', markup=False)
    return 1 if failed else 0


def _measure(name: str, console: Console) -> None:
    begin = time.monotonic()
    # After every part: a run that is broken off keeps what it has.
    write(DOCUMENT, record(RESULTS, name, partial(PARTS[name], console)))
    console.print(f"{name}: {time.monotonic() - begin:.0f} s; see {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
