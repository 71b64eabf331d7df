"""What is tried: workloads, and every fault at every write of each."""

import random
from dataclasses import dataclass
from itertools import product
from typing import Any

from sentiment_operator.api.v1alpha1 import MODEL_KIND

from .outcome import Outcome
from .proxy import Disturbance, Fault
from .specs import draw, draw_spec, leaves, with_value
from .world import MODELS, Spec, Workload, World, transition

Schema = dict[str, Any]


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


_SHARED = {"storage": {"accessMode": "ReadWriteMany"}}
_SCALED = {**_SHARED, "autoscaling": {"type": "HPA"}}
_FEATURES = {
    "monitoring": {"dashboard": {}},
    "access": {"ingress": {"host": "nlp.example.com"}, "networkPolicy": {}},
    "availability": {"podDisruptionBudget": {"policy": "Always"}},
}
_FIRST, _SECOND = ({"model": {"modelRef": {"name": name}}} for name in MODELS)
_BUNDLED: Spec = {"source": {"bundled": {}}}

CREATE = Workload("create", None, {})
LOSE = Workload("lose a child", {}, {}, by_hand=True)
MAKE_MODEL = Workload("make a model", None, _BUNDLED, kind=MODEL_KIND)
FEATURES_OFF = Workload("features off", _FEATURES, {})
BASIC = (
    CREATE,
    Workload("delete", {}, None),
    Workload("scale up", {"replicas": 1}, {"replicas": 4}),
    Workload("scale to zero", {"replicas": 3}, {"replicas": 0}),
    LOSE,
    Workload("keep the claim, delete", {"storage": {"retain": True}}, None),
    Workload("autoscaling on", _SHARED, _SCALED),
    Workload("autoscaling off", _SCALED, _SHARED),
    Workload("features on", {}, _FEATURES),
    FEATURES_OFF,
    Workload("from the bundled model to another", {}, _FIRST),
    Workload("from a model to another", _FIRST, _SECOND),
    Workload("back to the bundled model", _SECOND, {}),
    MAKE_MODEL,
    Workload("change a model", _BUNDLED, {**_BUNDLED, "precision": "fp32"}, kind=MODEL_KIND),
    Workload("delete a model", _BUNDLED, None, kind=MODEL_KIND),
)


_BAD: tuple[Spec, ...] = (
    {"model": {"modelRef": {"name": "missing"}}},
    {"pod": {"serviceAccountName": "missing"}},
    {"availability": {"priorityClassName": "missing"}},
    {"image": {"reference": "no.such.registry/image:1"}},
)
_GOOD: tuple[Spec, ...] = ({}, _FEATURES, _FIRST)
BAD_TO_GOOD = tuple(
    Workload(f"mend {number}", bad, good) for number, (bad, good) in enumerate(product(_BAD, _GOOD))
)


async def explode(world: World, workload: Workload, name: str) -> tuple[Outcome, list[Point]]:
    """The fault-free outcome, and a point for each fault at each of its writes."""
    expected, _ = await transition(world, name, workload)
    points = [Point(workload, (fault, number)) for number in range(1, expected.writes + 1) for fault in Fault]
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
            for named in ("model", "models"):
                spec.pop(named, None)
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
