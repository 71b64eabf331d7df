"""Each fault once, in a seeded order and spread over the run, into a service of two pods under steady load;
each request that is lost must belong to one of them.
"""

import random
import time
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
PAUSE_SECONDS = 0.1
_IN_A_ROW = 20
# Callers know the service by its name, and without DNS no service has one; a node that stays away leaves
# nothing to go on with.
CHAOTIC = tuple(
    fault for fault in FAULTS if TWO in fault.services and not fault.by_address and not fault.for_good
)


def plan(seconds: float, chance: random.Random) -> list[tuple[float, Fault]]:
    """Each fault, and when: at a drawn moment of the first half of its share of the time."""
    share = seconds / len(CHAOTIC)
    drawn = enumerate(chance.sample(CHAOTIC, len(CHAOTIC)))
    return [(share * (turn + chance.uniform(0, 0.5)), fault) for turn, fault in drawn]


def endure(world: World, seconds: float, seed: int) -> dict[str, Any]:
    """What became of all requests in so many seconds. A fault longer than its share delays the next one."""
    wait_for(f"{TWO} to be whole", lambda: world.whole(TWO), 300)
    chance = random.Random(seed)
    first = min(node["metadata"]["name"] for node in world.cluster.get("nodes")["items"])
    episodes = []
    with load(world.cluster, NAMESPACE, TWO, node=first, callers=CALLERS, pause=PAUSE_SECONDS) as outcome:
        begin = time.time()
        for at, fault in plan(seconds, chance):
            _answers_until(outcome, begin + at)
            episodes.append(_episode(world, fault, outcome))
            console.print(f"{time.time() - begin:.0f} s: {episodes[-1]}", markup=False)
        _answers_until(outcome, begin + seconds)
    return {"minutes": round(seconds / 60, 1), "seed": seed, **_summary(outcome, begin, episodes)}


def _answers_until(outcome: Outcome, moment: float) -> None:
    patience = max(0, moment - time.time()) + 60
    wait_for("answers", lambda: outcome.requests[-1].end > moment, patience)


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
