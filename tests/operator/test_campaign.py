"""A seeded sample of the fault campaign (`make campaign` is all), and bugs that it must find."""

import asyncio
import os
import random
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from .campaign.mutants import MUTANTS, Mutant
from .campaign.points import (
    BAD_TO_GOOD,
    BASIC,
    CREATE,
    FEATURES_OFF,
    MAKE_MODEL,
    Point,
    drawn_change,
    explode,
)
from .campaign.proxy import Disturbance, Fault
from .campaign.run import Report, campaign, spec_schema
from .conftest import ROOT, Api

pytestmark = pytest.mark.api
SEED = 20
LANES = 4
# Autoscalers look around each 15 seconds only.
QUICK = [workload for workload in BASIC if "autoscaling" not in workload.name]
# Seconds after which an end that is not as expected is one, where a bug was put in.
PATIENCE = 8.0
# Where none was: so that a slow machine is not taken for a bug.
LONG = 90.0
# Where the campaign found bugs: a conflict was taken for the deletion that it prevented; a Job was not made
# when its claim had to be made twice.
FOUND = (
    Point(FEATURES_OFF, (Fault.CONFLICT, 1)),
    Point(MAKE_MODEL, (Fault.TOO_MANY_REQUESTS, 1)),
)


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[Path]:
    """Of an API server of its own: another operator would do the work unseen."""
    from e2e.cluster import embedded

    with embedded.control_plane(f"campaign-{os.getpid()}") as paths:
        kubectl = Api(embedded.kubectl(paths))
        kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        kubectl("wait", "--for=condition=Established", "crd/sentimentservices.sentiment-operator.io")
        yield paths.kubeconfig


def test_faults_change_nothing_in_the_end(kubeconfig: Path) -> None:
    async def sample() -> Report:
        dice = random.Random(SEED)
        async with campaign(kubeconfig, LANES) as (running, report, world):
            workloads = [*dice.sample(QUICK, LANES), *(point.workload for point in FOUND)]
            by_name = {workload.name: workload for workload in workloads}
            await running.faults(by_name.values(), lambda points: [*_each_fault(dice, points), *FOUND])
            kinds = zip(dice.choices(QUICK, k=len(Disturbance)), Disturbance, strict=True)
            await running.disturbances(Point(workload, disturbance=kind) for workload, kind in kinds)
            await running.changes(dice.sample(BAD_TO_GOOD, 2))
            schema = spec_schema()
            await running.changes([await drawn_change(world, schema, dice, number) for number in range(2)])
        return report

    report = asyncio.run(sample())
    assert not report.divergent, report.text()
    assert report.total >= 12, report.text()


def _each_fault(dice: random.Random, points: list[Point]) -> list[Point]:
    return [
        dice.choice([point for point in points if point.fault and point.fault[0] is fault]) for fault in Fault
    ]


def test_an_end_without_a_fault_is_waited_for(kubeconfig: Path) -> None:
    async def points() -> list[Point]:
        async with campaign(kubeconfig, 1, patience=0) as (_, _, world):
            return (await explode(world, CREATE, "slow"))[1]

    assert asyncio.run(points())


def test_bugs_made_on_purpose_are_found(kubeconfig: Path) -> None:
    async def divergent(bug: str, mutants: Iterable[Mutant], patience: float) -> list[str]:
        async with campaign(kubeconfig, 1, patience=patience, bug=bug) as (running, report, _):
            for mutant in mutants:
                for point in mutant.points:
                    if point.fault:
                        await running.faults([point.workload], partial(_only, point))
                    else:
                        await running.disturbances([point])
                    if bug and report.divergent:
                        break
                await running.changes(mutant.changes)
        return report.divergent

    async def hunt() -> list[list[str]]:
        found = (divergent(mutant.bug, [mutant], PATIENCE) for mutant in MUTANTS)
        # The last has no bug: it is not the harness that makes ends differ.
        return await asyncio.gather(*found, divergent("", MUTANTS, LONG))

    *found, healthy = asyncio.run(hunt())
    assert [mutant.bug for mutant, ends in zip(MUTANTS, found, strict=True) if not ends] == []
    assert healthy == []


def _only(point: Point, _: list[Point]) -> list[Point]:
    return [point]
