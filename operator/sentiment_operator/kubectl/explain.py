"""Why a service or model isn't ready, and what to do about it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..reconcile.conditions import cannot_start, container_statuses
from .reasons import Reason

Manifest = dict[str, Any]
# Everything else is well when True.
_WELL_WHEN_FALSE = frozenset({"Degraded", "Progressing"})


@dataclass(frozen=True)
class Trouble:
    """Something that is not as it should be: where, the reason, its own words, and what the page says."""

    where: str
    reason: str
    message: str
    meaning: str = ""
    remedy: str = ""


def well(condition: Manifest) -> bool:
    """Whether the condition is as one wishes it."""
    return bool(condition["status"] == ("False" if condition["type"] in _WELL_WHEN_FALSE else "True"))


def ready(obj: Manifest) -> bool:
    """Ready, of the spec as it is now, and nothing is wrong."""
    conditions = conditions_of(obj)
    seen = obj.get("status", {}).get("observedGeneration") == obj["metadata"]["generation"]
    return seen and bool(conditions) and all(map(well, conditions))


def conditions_of(obj: Manifest) -> list[Manifest]:
    """In the order in which they are written."""
    return list(obj.get("status", {}).get("conditions", ()))


def troubles(obj: Manifest, pods: list[Manifest], known: Mapping[str, Reason]) -> list[Trouble]:
    """One for each cause: several conditions may have the same."""
    found: dict[tuple[str, str], Trouble] = {}
    for trouble in (*_of_object(obj), *_of_pods(pods)):
        row = known.get(trouble.reason, Reason("", ""))
        found.setdefault(
            (trouble.reason, trouble.message),
            Trouble(trouble.where, trouble.reason, trouble.message, row.meaning, row.remedy),
        )
    return list(found.values())


def _of_object(obj: Manifest) -> Iterator[Trouble]:
    conditions = conditions_of(obj)
    if not conditions:
        yield Trouble(
            "status", "NoStatus", "The operator has said nothing of it: does it run, and watch here?"
        )
        return
    if obj["status"].get("observedGeneration") != obj["metadata"]["generation"]:
        yield Trouble("status", "NotSeen", "The operator has not seen the newest spec yet: does it run?")
    # What is wrong comes before what is under way.
    for condition in sorted(conditions, key=lambda one: one["type"] != "Degraded"):
        if not well(condition):
            yield Trouble(condition["type"], condition["reason"], condition.get("message", ""))


def _of_pods(pods: list[Manifest]) -> Iterator[Trouble]:
    for pod in pods:
        for status in container_statuses(pod):
            if found := cannot_start(status):
                where = f"pod {pod['metadata']['name']}, {status['name']}"
                yield Trouble(where, found.reason, found.message)
