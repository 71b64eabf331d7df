"""Runs points side by side and compares where they end with where they end without a fault."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from sentiment_operator.cluster.connection import Connection, from_kubeconfig

from .outcome import Outcome
from .points import BAD_TO_GOOD, BASIC, Point, drawn_change, explode, settings
from .proxy import Disturbance, Proxy
from .world import Workload, World, transition

ROOT = Path(__file__).parents[3]
RELIST_SECONDS = 2.0
_CRD = ROOT / "crds" / "sentimentservices.sentiment-operator.io.yaml"


@dataclass
class Report:
    """What a campaign found."""

    points: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    divergent: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Points at which a fault (or a drawn change) took place."""
        return sum(self.points.values())

    def text(self) -> str:
        """For people."""
        lines = [f"{self.total} points in {self.seconds:.0f} s, {len(self.divergent)} divergent"]
        lines += [f"  {count:5d}  {what}" for what, count in sorted(self.points.items())]
        if self.missed:
            lines.append(
                f"not counted (too few writes to be hit, or refused by the API server): {dict(self.missed)}"
            )
        if self.refused:
            lines.append(f"fields that no single change reaches: {', '.join(self.refused)}")
        return "\n".join(lines + [f"DIVERGENT {what}" for what in self.divergent])


def spec_schema() -> dict[str, Any]:
    """The schema of spec, as the API server has it."""
    [version] = yaml.safe_load(_CRD.read_text())["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


class Campaign:
    """Some lanes that share a proxy; each works off points one after the other."""

    def __init__(
        self, lanes: list[World], watched: list[World], report: Report, say: Callable[[str], None]
    ) -> None:
        self._lanes = lanes
        self._watched = watched  # with frequent lists, for disturbances
        self._report = report
        self._say = say
        self._names = 0

    def name(self) -> str:
        """A name that no other object of this campaign has."""
        self._names += 1
        return f"s{self._names:05d}"

    async def each(
        self, items: Iterable[Any], work: Callable[[World, Any], Any], lanes: list[World] | None = None
    ) -> list[Any]:
        """work(lane, item) for all items, in as many lanes as there are."""
        waiting = list(enumerate(items))
        results: dict[int, Any] = {}

        async def lane(world: World) -> None:
            while waiting:
                index, item = waiting.pop(0)
                results[index] = await work(world, item)

        await asyncio.gather(*[lane(world) for world in lanes or self._lanes])
        return [results[index] for index in sorted(results)]

    async def faults(
        self, workloads: Iterable[Workload], choose: Callable[[list[Point]], list[Point]]
    ) -> None:
        """Chosen faults at the writes of each workload."""

        async def find(world: World, workload: Workload) -> tuple[Outcome, list[Point]]:
            return await explode(world, workload, self.name())

        found = await self.each(workloads, find)
        outcomes = {points[0].workload.name: expected for expected, points in found if points}
        chosen = choose([point for _, points in found for point in points])

        async def check(world: World, point: Point) -> None:
            await self._check(world, point, outcomes[point.workload.name])

        await self.each(chosen, check)

    async def disturbances(self, points: Iterable[Point]) -> None:
        """Watches and lists that lie."""
        points = list(points)
        outcomes: dict[str, Outcome] = {}

        async def find(world: World, workload: Workload) -> None:
            outcomes[workload.name], _ = await transition(world, self.name(), workload)

        async def check(world: World, point: Point) -> None:
            await self._check(world, point, outcomes[point.workload.name])

        await self.each({point.workload.name: point.workload for point in points}.values(), find)
        await self.each(points, check, self._watched)

    async def changes(
        self, workloads: Iterable[Workload], what: str = "a change between two drawn specs"
    ) -> None:
        """From one spec to another: the end is that of the other made afresh."""

        async def check(world: World, workload: Workload) -> None:
            afresh = replace(workload, before=None)
            fresh, _ = await transition(world, self.name(), afresh, exact=False)
            if fresh.refusal:  # what a pod template may say is more than a schema can
                self._report.missed["a change to what the API server refuses of a child"] += 1
                return
            ended, _ = await transition(world, self.name(), workload, expected=fresh, exact=False)
            self._note(what, workload, ended.differences(fresh, counts=False))

        await self.each(workloads, check)

    async def _check(self, world: World, point: Point, expected: Outcome) -> None:
        ended, hit = await transition(
            world,
            self.name(),
            point.workload,
            fault=point.fault,
            disturbance=point.disturbance,
            expected=expected,
        )
        what = point.fault[0].name if point.fault else f"meanwhile {point.disturbance.name}"  # type: ignore[union-attr]
        differences = ended.differences(expected)
        # Another end counts in any case: what happens while no watch is open is no event that was lost.
        if hit or differences:
            self._note(what, point, differences)
        else:
            self._report.missed[what] += 1

    def _note(self, what: str, which: object, differences: list[str]) -> None:
        self._report.points[what] += 1
        if differences:
            self._report.divergent.append(f"{which}: {'; '.join(differences[:3])}")
            self._say(self._report.divergent[-1])
        if self._report.total % 50 == 0:
            self._say(f"{self._report.total} points, {len(self._report.divergent)} divergent")


@asynccontextmanager
async def campaign(
    kubeconfig: Path,
    lanes: int,
    say: Callable[[str], None] = lambda _: None,
    *,
    patience: float = 90.0,
    bug: str = "",
) -> AsyncIterator[tuple[Campaign, Report, World]]:
    """Open lanes on an API server that has the CRD; gives also a lane for asking what is valid.

    patience: seconds until an end that is not as expected counts as one; bug: put into the operators.
    """
    report, started = Report(), time.monotonic()
    connection: Connection = from_kubeconfig(kubeconfig)
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy(connection.server, connection.tls))
        tag = f"{random.randrange(16**6):06x}"

        async def world(name: str, **options: Any) -> World:
            made = World(proxy, f"c{tag}-{name}", patience=patience, bug=bug, **options)
            return await stack.enter_async_context(made)

        worlds = [await world(f"lane{number}") for number in range(lanes)]
        watched = [await world(f"watched{number}", relist_seconds=RELIST_SECONDS) for number in range(lanes)]
        yield Campaign(worlds, watched, report, say), report, worlds[0]
        report.seconds = time.monotonic() - started


async def full(
    kubeconfig: Path, *, seed: int, lanes: int, changes: int, say: Callable[[str], None]
) -> Report:
    """All points: every fault at every write of every workload, disturbances, drawn changes."""
    schema, dice = spec_schema(), random.Random(seed)
    async with campaign(kubeconfig, lanes, say) as (running, report, world):
        single, report.refused = await settings(world, schema, dice)
        say(f"{len(BASIC) + len(single)} workloads")
        await running.faults(BASIC, lambda points: points)
        disturbed = [*BASIC, *dice.sample(single, min(len(single), 12))]
        await running.disturbances(
            Point(workload, disturbance=kind) for workload in disturbed for kind in Disturbance
        )
        await running.changes(BAD_TO_GOOD, "a change from a bad spec to a good one")
        drawn = [await drawn_change(world, schema, dice, number) for number in range(changes)]
        await running.changes(drawn)
        await running.faults(single, lambda points: points)
    return report
