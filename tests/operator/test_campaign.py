"""A seeded sample of the fault campaign (`make campaign` is all), and bugs that it must find."""

import asyncio
import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from .campaign.mutants import MUTANTS, Mutant, infected
from .campaign.points import BASIC, Point, drawn_change
from .campaign.proxy import Disturbance
from .campaign.run import Report, campaign, spec_schema
from .conftest import ROOT, Api

pytestmark = pytest.mark.api
SEED = 20
LANES = 4


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


def _only(point: Point, _: list[Point]) -> list[Point]:
    return [point]


def test_bugs_made_on_purpose_are_found(kubeconfig: Path) -> None:
    async def hunt(mutant: Mutant) -> Report:
        with infected(mutant):
            async with campaign(kubeconfig, 1, patience=2.0) as (running, report, _):
                for point in mutant.points:
                    if point.fault:
                        await running.faults([point.workload], partial(_only, point))
                    else:
                        await running.disturbances([point])
                    if report.divergent:
                        return report
                await running.changes(mutant.changes)
        return report

    missed = [mutant.name for mutant in MUTANTS if not asyncio.run(hunt(mutant)).divergent]
    assert missed == []
