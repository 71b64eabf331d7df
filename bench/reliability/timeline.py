"""What a fault cost, from what became of each request. Pure."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from e2e.load import Request


class Cost(NamedTuple):
    """Of one fault; times in seconds."""

    sent: int
    lost: int
    first_right: float
    """From the fault to the first right answer to a request that was sent after it."""
    silence: float
    """The longest time without any right answer."""
    said: dict[str, int]
    """What callers got instead, and how often."""


def cost(requests: Sequence[Request], at: float) -> Cost:
    """The cost of a fault at `at`; there must be right answers before and after it. What was over before it
    counts for nothing."""
    before = max(request.end for request in requests if request.end < at and not request.wrong)
    concerned = [request for request in requests if request.end >= at]
    rights = [request for request in concerned if not request.wrong]
    ends = [before, *sorted(request.end for request in rights)]
    wrong = [request.wrong for request in concerned if request.wrong]
    return Cost(
        sent=len(concerned),
        lost=len(wrong),
        first_right=min(request.end for request in rights if request.begin >= at) - at,
        silence=max(later - earlier for earlier, later in pairwise(ends)),
        said=dict(Counter(map(kind, wrong)).most_common()),
    )


class Episode(NamedTuple):
    """From a fault to a whole service, in seconds of the epoch; `failed`: why it was not seen to be whole."""

    fault: str
    begin: float
    end: float
    failed: str


class Explained(NamedTuple):
    """What became of lost requests: for each episode what callers got and how often, and those of none."""

    by_episode: list[dict[str, int]]
    unexplained: list[Request]


def explained(requests: Sequence[Request], episodes: Sequence[Episode]) -> Explained:
    """Each lost request belongs to the latest episode during which it was under way."""
    counts: list[Counter[str]] = [Counter() for _ in episodes]
    unexplained = []
    for request in (one for one in requests if one.wrong):
        theirs = [
            at
            for at, episode in enumerate(episodes)
            if request.end >= episode.begin and request.begin <= episode.end
        ]
        if theirs:
            counts[theirs[-1]][kind(request.wrong)] += 1
        else:
            unexplained.append(request)
    return Explained([dict(count.most_common()) for count in counts], unexplained)


def kind(wrong: str) -> str:
    """An HTTP status with the error's code, or the exception, without what differs from case to case."""
    if found := re.match(r"(\d{3}) .*?\"code\": ?\"(\w+)\"", wrong):
        return f"{found[1]} {found[2]}"
    if found := re.match(r"OSError\(\d+, '([^']+)'\)", wrong):  # what has no class of its own
        return found[1]
    return wrong.partition("(")[0].strip() if not wrong[:3].isdecimal() else wrong[:3]


def right_since(requests: Sequence[Request], at: float, count: int) -> bool:
    """The last `count` answers are right, all to requests sent after `at`."""
    last = list(requests)[-count:]
    return len(last) == count and all(request.begin >= at and not request.wrong for request in last)
