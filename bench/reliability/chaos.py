"""One fault after the other, in a seeded order, into a service of two pods under steady load; each request
that is lost must belong to one of them.
"""

import random
import time
from collections.abc import Iterator
from typing import Any

from bench.measure import percentile
from bench.reliability.faults import FAULTS, Fault
from bench.reliability.timeline import Episode, explained, kind, right_since
from bench.reliability.world import NAMESPACE, TWO, World
from e2e.cluster.progress import console
from e2e.load import Outcome, load
from e2e.wait import wait_for

CALLERS = 4
# Each caller waits so long between an answer and its next request: quick failures must not multiply.
PAUSE_SECONDS = 0.2
_IN_A_ROW = 20
_CALM_SECONDS = (5, 20)
# Callers know the service by its name, and without DNS no service has one; a node that stays away leaves
# nothing to go on with.
CHAOTIC = tuple(
    fault for fault in FAULTS if TWO in fault.services and not fault.by_address and not fault.for_good
)


def order(chance: random.Random) -> Iterator[Fault]:
    """Without end; each fault once before any comes again."""
    while True:
        yield from chance.sample(CHAOTIC, len(CHAOTIC))


def endure(world: World, seconds: float, seed: int) -> dict[str, Any]:
    """What became of all requests; the last fault is put in before `seconds` are over, and is waited for."""
    wait_for(f"{TWO} to be whole", lambda: world.whole(TWO), 300)
    chance = random.Random(seed)
    first = min(node["metadata"]["name"] for node in world.cluster.get("nodes")["items"])
    episodes = []
    with load(world.cluster, NAMESPACE, TWO, node=first, callers=CALLERS, pause=PAUSE_SECONDS) as outcome:
        begin = time.time()
        for fault in order(chance):
            _calm(outcome, chance.uniform(*_CALM_SECONDS))
            if time.time() - begin > seconds:
                break
            episodes.append(_episode(world, fault, outcome))
            console.print(f"{time.time() - begin:.0f} s: {episodes[-1]}", markup=False)
    return {"minutes": round(seconds / 60, 1), "seed": seed, **_summary(outcome, begin, episodes)}


def _calm(outcome: Outcome, seconds: float) -> None:
    since = time.time()
    wait_for("a calm while", lambda: outcome.requests[-1].end > since + seconds, seconds + 60)


def _episode(world: World, fault: Fault, outcome: Outcome) -> Episode:
    """From a fault to a whole service; what does not go as it should ends nothing else."""
    begin, said = time.time(), ""
    try:
        at = fault.act(world, TWO, outcome)
        if fault.mend:
            fault.mend(world, TWO)
        wait_for(
            "a whole service that answers right",
            lambda: right_since(outcome.requests, at, _IN_A_ROW) and world.whole(TWO),
            300,
        )
    except Exception as error:
        said = str(error)
    return Episode(fault.name, begin, time.time(), said)


def _summary(outcome: Outcome, begin: float, episodes: list[Episode]) -> dict[str, Any]:
    told = explained(outcome.requests, episodes)
    times = [(one.end - one.begin) * 1000 for one in outcome.requests if not one.wrong]
    return {
        "sent": outcome.sent,
        "lost": len(outcome.failed),
        "milliseconds": {str(share): percentile(times, share) for share in (0.5, 0.95, 0.99, 1)},
        "episodes": [
            {
                "fault": one.fault,
                "at": round(one.begin - begin),
                "seconds": round(one.end - one.begin, 1),
                "failed": one.failed,
                "said": said,
            }
            for one, said in zip(episodes, told.by_episode, strict=True)
        ],
        "unexplained": [f"{one.begin - begin:.1f} s: {kind(one.wrong)}" for one in told.unexplained],
    }
