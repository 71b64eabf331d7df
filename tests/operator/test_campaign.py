"""A seeded sample of the fault campaign (`make campaign` is all), and bugs that it must find."""

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from .campaign.mutants import MUTANTS, Mutant, infected
from .campaign.points import BASIC, Point, drawn_change
from .campaign.proxy import Disturbance
from .campaign.run import Report, campaign, spec_schema

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths


pytestmark = pytest.mark.api
SEED = 20
LANES = 4


@pytest.mark.usefixtures("api")
def test_faults_change_nothing_in_the_end(control_plane: "ClusterPaths") -> None:
    async def sample() -> Report:
        dice = random.Random(SEED)
        async with campaign(control_plane.kubeconfig, LANES) as (running, report, world):
            await running.faults(BASIC, lambda points: dice.sample(points, 16))
            kinds = list(Disturbance)
            await running.disturbances(
                Point(workload, disturbance=kinds[number % len(kinds)])
                for number, workload in enumerate(BASIC)
            )
            schema = spec_schema()
            await running.changes([await drawn_change(world, schema, dice, number) for number in range(4)])
        return report

    report = asyncio.run(sample())
    assert report.divergent == []
    assert report.total >= 15, report.text()


@pytest.mark.usefixtures("api")
def test_bugs_made_on_purpose_are_found(control_plane: "ClusterPaths") -> None:
    async def hunt(mutant: Mutant) -> Report:
        with infected(mutant):
            async with campaign(control_plane.kubeconfig, 1, patience=2.0) as (running, report, _):
                if mutant.points:
                    workloads = {point.workload.name: point.workload for point in mutant.points}
                    await running.faults(
                        workloads.values(), lambda _: [point for point in mutant.points if point.fault]
                    )
                    await running.disturbances(point for point in mutant.points if point.disturbance)
                await running.changes(mutant.changes)
        return report

    missed = [mutant.name for mutant in MUTANTS if not asyncio.run(hunt(mutant)).divergent]
    assert missed == []
