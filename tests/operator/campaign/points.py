"""What is tried: workloads, and every fault at every write of each."""

import random
from dataclasses import dataclass
from typing import Any

from .proxy import Disturbance, Fault
from .specs import draw, draw_spec, leaves, with_value
from .world import Outcome, Spec, World, transition

Schema = dict[str, Any]


@dataclass(frozen=True)
class Workload:
    """A change of a SentimentService; None stands for no object."""

    name: str
    before: Spec | None
    after: Spec | None
    # Somebody deletes the Deployment meanwhile.
    by_hand: bool = False


@dataclass(frozen=True)
class Point:
    """A workload under one fault or disturbance."""

    workload: Workload
    fault: tuple[Fault, int] | None = None
    disturbance: Disturbance | None = None

    def __str__(self) -> str:
        if self.fault:
            return f"{self.workload.name}: {self.fault[0].name} at write {self.fault[1]}"
        return f"{self.workload.name}: {self.disturbance.name if self.disturbance else 'no fault'}"


async def settings(world: World, schema: Schema, dice: random.Random) -> tuple[list[Workload], list[str]]:
    """One change per settable field, both ways; and the fields that can't be changed alone."""
    found, refused = [], []
    status, answer = await world.apply("setting", {})
    assert status < 300, answer
    for path, field in leaves(schema):
        name = ".".join(path)
        for _ in range(12):
            value = draw(field, path[-1], dice)
            if value == field.get("default"):
                continue
            spec = with_value({}, path, value)
            if (await world.apply("setting", spec, dry_run=True))[0] < 300:
                found += [Workload(f"set {name}", {}, spec), Workload(f"unset {name}", spec, {})]
                break
        else:
            refused.append(name)
    await world.delete("setting")
    # What may be set may not be what may be taken back (a claim's class).
    return [workload for workload in found if await _possible(world, workload)], refused


async def _possible(world: World, workload: Workload) -> bool:
    if not workload.name.startswith("unset "):
        return True
    name = "possible"
    status, _ = await world.apply(name, workload.before or {})
    allowed = status < 300 and (await world.apply(name, workload.after or {}, dry_run=True))[0] < 300
    await world.delete(name)
    return allowed


BASIC = (
    Workload("create", None, {}),
    Workload("delete", {}, None),
    Workload("scale up", {"replicas": 1}, {"replicas": 4}),
    Workload("scale to zero", {"replicas": 3}, {"replicas": 0}),
    Workload("lose a child", {}, {}, by_hand=True),
    Workload("keep the claim, delete", {"storage": {"retain": True}}, None),
)

AT_WRITES = tuple(Fault)


async def explode(world: World, workload: Workload, name: str) -> tuple[Outcome, list[Point]]:
    """The fault-free outcome, and a point for each fault at each of its writes."""
    expected, _ = await transition(world, name, workload.before, workload.after, by_hand=workload.by_hand)
    points = [
        Point(workload, (fault, number)) for number in range(1, expected.writes + 1) for fault in AT_WRITES
    ]
    return expected, points


async def drawn_change(world: World, schema: Schema, dice: random.Random, number: int) -> Workload:
    """A change between two drawn specs that the server allows."""
    name = f"probe{number:05d}"
    for _ in range(200):
        before, after = draw_spec(schema, dice), draw_spec(schema, dice)
        # An unbound claim can't be resized, and without nodes none is ever bound.
        for spec in (before, after):
            spec.get("storage", {}).pop("size", None)
            # While a model is not there, what runs is kept, and nothing is made: it depends on what ran.
            spec.pop("model", None)
            # A number that is not given is left as it is, whatever that was.
            if spec.get("autoscaling", {}).get("type", "None") == "None":
                spec.setdefault("replicas", 1)
        if not await _valid(world, name, before) or not await _valid(world, name, after):
            continue
        await world.apply(name, before)
        allowed = await _valid(world, name, after)
        await world.delete(name)
        if allowed:
            return Workload(f"change {number}", before, after)
    raise AssertionError("the server refuses all that is drawn from its own schema")


async def _valid(world: World, name: str, spec: Spec) -> bool:
    return (await world.apply(name, spec, dry_run=True))[0] < 300
