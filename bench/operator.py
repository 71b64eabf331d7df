"""The operator on a real API server: how soon, how fast, how quiet. Requests are counted in the server's own
audit log, and times are the server's too."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from sentiment_operator.api.v1alpha1 import Owner, SentimentServiceSpec
from sentiment_operator.render import Surroundings, render

from bench.apiserver import USER, Bench, bare_bodies, running, together, until
from bench.audit import Call
from bench.measure import Spread, figure, percentile, ratios
from bench.progress import Steps
from bench.report import outcome, verdict

SERVICES = 1000
ROUNDS = 3
# One after the other, so that each finds an operator with nothing else to do.
SINGLE, EVERY_SECONDS = 200, 0.25
CONNECTIONS = 16
# Longer than all that the operator does now and then: lists, resyncs (ten minutes) and discovery.
REST_SECONDS = 690.0
FLOODED, PODS, FLOOD_SECONDS = 10, 50, 30.0
_UID = "OWNER-UID"
Part = Callable[[Bench, Steps], Awaitable[dict[str, str]]]
_BASIC: dict[str, Any] = {}
_RICH: dict[str, Any] = {
    "storage": {"accessMode": "ReadWriteMany"},
    "autoscaling": {"type": "HPA"},
    "monitoring": {"dashboard": {}},
    "access": {"ingress": {"host": "nlp.example.com"}, "networkPolicy": {}},
}


def new(console: Console) -> dict[str, str]:
    """What a new service costs. Here and below: name → figure, with the bar where there is one."""

    async def part(bench: Bench, steps: Steps) -> dict[str, str]:
        found: dict[str, str] = {}
        for words, spec in (("", _BASIC), (", all features", _RICH)):
            found |= await _single(bench, words, spec)
            steps.done(next(reversed(found.items()))[1])
        return found

    return _alone("operator", 2, part, console)


def burst(console: Console) -> dict[str, str]:
    """A thousand services at once."""
    return _alone("burst", 2 * ROUNDS, _burst, console)


def rest(console: Console) -> dict[str, str]:
    """Nothing to do for a thousand services; then the same after a restart."""

    async def part(bench: Bench, steps: Steps) -> dict[str, str]:
        await _operated(bench, "rest")
        steps.done("a thousand services")
        found = await _rest(bench)
        steps.done("at rest")
        found |= await _restart(bench)
        steps.done("restarted")
        return found

    return _alone("rest", 3, part, console)


def flood(console: Console) -> dict[str, str]:
    """Pods that change all the time."""

    async def part(bench: Bench, steps: Steps) -> dict[str, str]:
        found = await _flood(bench)
        steps.done("flooded")
        return found

    return _alone("flood", 1, part, console)


def _alone(name: str, steps: int, part: Part, console: Console) -> dict[str, str]:
    """On an API server of its own."""

    async def measured() -> dict[str, str]:
        with Steps(name, steps, console) as progress:
            async with running(f"bench-{name}") as bench:
                await asyncio.to_thread(bench.operator.start)
                return await part(bench, progress)

    return asyncio.run(measured())


def _mine(calls: Sequence[Call]) -> list[Call]:
    """The operator's writes but for the Lease's."""
    return [call for call in calls if call.user == USER and call.writes and not call.of_lease]


def _children(calls: Sequence[Call]) -> list[Call]:
    return [call for call in _mine(calls) if call.creates and call.resource != "events"]


async def _single(bench: Bench, words: str, spec: dict[str, Any]) -> dict[str, str]:
    """From the request that makes a SentimentService to the last of its children; and all writes for it."""
    namespace = f"single{len(spec)}"
    await bench.client.create_namespace(namespace)
    await bench.quiet()
    names = [f"s{number:04d}" for number in range(SINGLE)]
    for name in names:
        await bench.client.create_service(namespace, name, spec)
        await asyncio.sleep(EVERY_SECONDS)
    calls = [call for call in await bench.quiet() if call.namespace == namespace]
    asked = {
        call.name: call.received for call in calls if call.resource == "sentimentservices" and call.creates
    }
    children = _by_service(_children(calls))
    writes = _by_service(_mine(calls))
    waits = [1000 * (max(call.done for call in children[name]) - asked[name]) for name in names]
    # An Event's name is the server's: which service it is about is not in the log.
    events = sum(call.resource == "events" for call in _mine(calls)) / SINGLE
    kinds = Counter(call.resource for name in names for call in writes[name])
    more = sum(len(writes[name]) - len(children[name]) for name in names) / SINGLE
    await bench.client.delete_namespace(namespace)
    each = ", ".join(f"{kind} {total / SINGLE:.2f}" for kind, total in kinds.most_common())
    count = Spread.of([len(children[name]) for name in names])
    return {
        f"apply → all {count} children exist{words}, p50 ms": outcome(
            percentile(waits, 0.5), 300, least=False
        ),
        f"apply → all {count} children exist{words}, p99 ms": outcome(
            percentile(waits, 0.99), 1000, least=False
        ),
        f"writes per new service{words}, from apply to Ready": f"{each}, events {events:.2f}",
        f"writes per new service{words}, beyond its children, Events included": outcome(
            more + events, 2, least=False
        ),
    }


def _by_service(calls: Sequence[Call]) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.resource != "events" and (match := re.match(r"s\d{4}", call.name)):
            found[match[0]].append(call)
    return found


async def _burst(bench: Bench, steps: Steps) -> dict[str, str]:
    """A thousand at once by turns: a bare client that makes all objects, and the operator."""
    bare, ours = [], []
    each = 1 + len(_rendered("n", "x"))
    for number in range(ROUNDS):
        await asyncio.to_thread(bench.operator.stop)
        bare.append(each * SERVICES / await _bare(bench, f"bare{number}"))
        steps.done(f"bare client: {bare[-1]:.0f} objects/s")
        await asyncio.to_thread(bench.operator.start)
        await until("leader", lambda: asyncio.to_thread(bench.operator.leads))
        ours.append(each * SERVICES / await _operated(bench, f"burst{number}"))
        steps.done(f"operator: {ours[-1]:.0f} objects/s")
        await bench.client.delete_namespace(f"burst{number}")
    to_bare = ratios(ours, bare)
    return {
        f"burst of {SERVICES:,}: objects/s of a bare client": str(Spread.of(bare)),
        f"burst of {SERVICES:,}: objects/s with the operator": str(Spread.of(ours)),
        f"burst of {SERVICES:,}: ÷ bare client": f"{to_bare}, {verdict(to_bare.median, 0.8, least=True)}",
    }


def _rendered(namespace: str, name: str) -> list[dict[str, Any]]:
    owner = Owner(name=name, namespace=namespace, uid=_UID)
    return render(owner, SentimentServiceSpec.model_validate(_BASIC), Surroundings("service:1")).apply


async def _bare(bench: Bench, namespace: str) -> float:
    """Seconds in which a client makes the SentimentServices and all that the operator would."""
    names = [f"s{number:04d}" for number in range(SERVICES)]
    bodies = {name: bare_bodies(_rendered(namespace, name)) for name in names}
    await bench.client.create_namespace(namespace)

    async def make(name: str) -> None:
        uid = (await bench.client.create_service(namespace, name, _BASIC)).encode()
        for path, body in bodies[name]:
            await bench.client.send("POST", path, body.replace(_UID.encode(), uid))

    bench.audit.new()
    await together((make(name) for name in names), CONNECTIONS)
    calls = [call for call in bench.audit.new() if call.namespace == namespace and call.creates]
    await bench.kubelets.all_serve(namespace, SERVICES)
    await bench.client.delete_namespace(namespace)
    return _duration(calls)


async def _operated(bench: Bench, namespace: str) -> float:
    """Seconds in which the SentimentServices are made by a client, and what they need by the operator."""
    names = [f"s{number:04d}" for number in range(SERVICES)]
    await bench.client.create_namespace(namespace)
    await bench.quiet()
    await together((bench.client.create_service(namespace, name, _BASIC) for name in names), CONNECTIONS)
    await bench.kubelets.all_serve(namespace, SERVICES)
    calls = [call for call in await bench.quiet() if call.namespace == namespace]
    services = [call for call in calls if call.resource == "sentimentservices" and call.creates]
    return _duration([*services, *_children(calls)])


def _duration(calls: Sequence[Call]) -> float:
    return max(call.done for call in calls) - min(call.received for call in calls)


async def _rest(bench: Bench) -> dict[str, str]:
    """Nothing changes; a second operator stands by."""
    standby = replace(bench.operator, log=bench.operator.log.with_name("standby"), process=None)
    await asyncio.to_thread(standby.start)
    await bench.quiet()
    leader_kb, standby_kb = [0], [0]
    for _ in range(int(REST_SECONDS / 15)):
        await asyncio.sleep(15)
        # As Prometheus would; answering takes memory too.
        await asyncio.gather(*(asyncio.to_thread(one.passes) for one in (bench.operator, standby)))
        leader_kb.append(_resident_kb(bench.operator.process))
        standby_kb.append(_resident_kb(standby.process))
    calls = [call for call in bench.audit.new() if call.user == USER]
    await asyncio.to_thread(standby.stop)
    rates = sorted(
        (count / REST_SECONDS for count in Counter(call.agent for call in calls).values()), reverse=True
    )
    kinds = Counter(f"{call.verb} {call.resource}".strip() for call in calls)
    return {
        f"at rest with {SERVICES:,}, {REST_SECONDS / 60:.1f} minutes: writes apart from the Lease": outcome(
            len(_mine(calls)), 0, least=False
        ),
        "at rest: requests/s of the leader": outcome(rates[0], 1, least=False),
        "at rest: requests/s of leader and standby": outcome(sum(rates), 1, least=False),
        "at rest: which": ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()),
        "at rest: greatest RSS of the leader, MB": outcome(max(leader_kb) / 1e3, 150, least=False),
        "at rest: greatest RSS of the standby, MB": outcome(max(standby_kb) / 1e3, 150, least=False),
    }


def _resident_kb(process: Any) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


async def _restart(bench: Bench) -> dict[str, str]:
    await asyncio.to_thread(bench.operator.stop)
    bench.audit.new()
    await asyncio.to_thread(bench.operator.start)

    async def looked_at_all() -> bool:
        return await asyncio.to_thread(bench.operator.passes) >= SERVICES

    await until("pass over each", looked_at_all)
    calls = _mine(await bench.quiet())
    return {f"restart with {SERVICES:,}: writes": outcome(len(calls), 0, least=False)}


async def _flood(bench: Bench) -> dict[str, str]:
    """All pods of some services go in and out of readiness as fast as the server takes it."""
    namespace = "flood"
    await bench.client.create_namespace(namespace)
    for number in range(FLOODED):
        await bench.client.create_service(namespace, f"s{number:04d}", {"replicas": PODS, **_MANY})
    await bench.kubelets.all_serve(namespace, FLOODED * PODS)
    await bench.quiet()
    before = await asyncio.to_thread(bench.operator.passes)
    changes = 0
    end = asyncio.get_running_loop().time() + FLOOD_SECONDS

    async def flip() -> None:
        nonlocal changes
        ready = False
        while asyncio.get_running_loop().time() < end:
            for name in tuple(bench.kubelets.pods[namespace]):
                await bench.kubelets.tell(namespace, name, ready=ready)
                changes += 1
            ready = not ready

    await flip()
    calls = _mine(await bench.quiet())
    passes = await asyncio.to_thread(bench.operator.passes) - before
    each = FLOODED * FLOOD_SECONDS
    return {
        f"flood, {FLOODED} services of {PODS} pods: pod changes for each service and second": figure(
            changes / each
        ),
        "flood: passes for each service and second": figure(passes / each),
        "flood: writes for each service and second": figure(len(calls) / each),
    }


_MANY: dict[str, Any] = {"storage": {"accessMode": "ReadWriteMany"}}
