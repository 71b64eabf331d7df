"""Which points find which bug: a campaign that finds none of them proves nothing."""

from dataclasses import dataclass

from .points import CREATE, LOSE, Point
from .proxy import Disturbance, Fault
from .world import Workload

# A later event hides that a write was lost; without pods nothing moves by itself, and there are few.
_OWN = Workload("own the claim", {"replicas": 0, "storage": {"retain": True}}, {"replicas": 0})
_UNSET = Workload("unset", {"image": {"pullSecrets": ["mirror"]}}, {})


@dataclass(frozen=True)
class Mutant:
    """The name of a bug, and points of which at least one must diverge (none: drawn changes)."""

    bug: str
    points: tuple[Point, ...] = ()
    changes: tuple[Workload, ...] = ()


def _at(workload: Workload, fault: Fault, *writes: int) -> tuple[Point, ...]:
    return tuple(Point(workload, (fault, number)) for number in writes)


def _under(disturbance: Disturbance, workload: Workload) -> tuple[Point, ...]:
    return (Point(workload, disturbance=disturbance),)


MUTANTS = (
    Mutant("trusts its memory", _at(CREATE, Fault.INTERNAL_ERROR, 1, 2)),
    Mutant("never tries again", _under(Disturbance.CONFLICTS, _OWN)),
    Mutant("takes a refusal for success", _at(CREATE, Fault.TOO_MANY_REQUESTS, 3)),
    Mutant("writes the status first", _at(CREATE, Fault.KILL_AFTER, 1, 2)),
    Mutant("keeps what was taken back", changes=(_UNSET,)),
    Mutant("believes its cache for ever", _under(Disturbance.SILENCED, LOSE)),
    Mutant("resumes where nothing is left", _under(Disturbance.SILENCED, LOSE)),
    Mutant("takes a conflict for gone", _under(Disturbance.CONFLICTS, _OWN)),
)
