"""A fault under load, from a whole service to a whole service."""

import time
from typing import Any

from bench.reliability.faults import Fault
from bench.reliability.timeline import cost, right_since
from bench.reliability.world import NAMESPACE, World
from e2e.cluster.progress import console
from e2e.load import load
from e2e.wait import wait_for

CALLERS = 4
# So many right answers in a row, to each caller several.
_IN_A_ROW = 50


def heal(world: World, fault: Fault) -> dict[str, Any]:
    """What the fault cost, put into each of its services."""
    rows = []
    for service in fault.services:
        try:
            found = _measure(world, fault, service)
        except Exception as error:
            # The other faults do not depend on this one, unless it has left something broken.
            console.print(f"{fault.name} {service} FAILED: {error}", style="red", markup=False)
            found = {"failed": str(error)}
        rows.append({"service": service, **found})
        console.print(f"{fault.name}: {rows[-1]}", markup=False)
    return {"rows": rows}


def _measure(world: World, fault: Fault, service: str) -> dict[str, Any]:
    wait_for(f"{service} to be whole", lambda: world.whole(service), 300)
    host = service
    if fault.by_address:
        host = world.cluster.get("-n", NAMESPACE, "service", service)["spec"]["clusterIP"]
    first = min(node["metadata"]["name"] for node in world.cluster.get("nodes")["items"])
    with load(world.cluster, NAMESPACE, host, node=first, callers=CALLERS) as outcome:
        wait_for("answers before the fault", lambda: outcome.sent >= 100)
        at = fault.act(world, service, outcome)
        if fault.mend:
            fault.mend(world, service)
        wait_for(
            "a whole service that answers right",
            lambda: right_since(outcome.requests, at, _IN_A_ROW) and (fault.for_good or world.whole(service)),
            300,
        )
        whole = time.time() - at
    return {**cost(outcome.requests, at)._asdict(), "whole": whole}
