"""Reviews a second over HTTP: this service, the raw engine, the peers and the article's way, in turns."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from sentiment_service.cli.load import Job, Seen, send

from bench.bert_base import ensure
from bench.measure import POOL, load_average, mixed
from bench.paths import BUNDLED, ROOT
from bench.progress import Steps
from bench.report import OURS, OURS_FP32, OURS_POST_TRAINING, RAW, RAW_POST_TRAINING
from bench.targets import ANALYZE, Server, Target, article, ours, peers

CONNECTIONS = 128
ROUNDS = 3
SORTED = ("sorted-256", "sorted-512", "sorted-1024", "sorted-2048")


class Raw(NamedTuple):
    """The engine alone on a package, in the best order of its texts."""

    name: str
    package: Path
    plan: str


def raw(
    package: Path, seconds: float, plans: tuple[str, ...], *, texts: int = POOL, python: str = sys.executable
) -> dict[str, float]:
    """Texts a second by plan, from a process of its own."""
    command = [python, "-m", "bench.raw", str(package), str(seconds), str(texts), *plans]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def best_plan(package: Path) -> str:
    found = raw(package, 1.0, SORTED)
    return max(found, key=lambda plan: found[plan])


def closed(server: Server, seconds: float, connections: int = CONNECTIONS) -> Seen:
    """Every connection asks again once answered. RuntimeError for a server that fails a request."""
    target = server.target
    warm = 2.0
    job = Job(server.port, target.path, target.render(mixed(POOL)), connections, seconds, warm)
    seen = send(job)
    if seen.failed:
        raise RuntimeError(f"{target.name}: {seen.failed} failed requests, first: {seen.first_failure}")
    if not seen.answers:
        raise RuntimeError(f"{target.name}: no request ended within {seconds:.0f} s")
    return seen


def bulk(server: Server, seconds: float) -> float:
    """Texts a second through the batch endpoint, 50 texts a request, four at a time."""
    texts = mixed(POOL)
    bodies = [json.dumps({"texts": texts[at : at + 50]}, ensure_ascii=False) for at in range(0, POOL, 50)]
    seen = send(Job(server.port, f"{ANALYZE}/batch", bodies, 4, seconds, 2))
    if seen.failed:
        raise RuntimeError(f"batch endpoint: {seen.failed} failed requests, first: {seen.first_failure}")
    return 50 * len(seen.answers) / seen.seconds


def versus_peers(console: Console) -> dict[str, Any]:
    """(a) to (c): full-size BERT-base, everything on the same cores in the same run. A peer that does not
    start, or stops answering, is left out by name."""
    bert = ensure()
    own = [
        ours(bert.fp32, OURS_FP32),
        ours(bert.int8_post_training, OURS_POST_TRAINING),
        ours(bert.int8, OURS),
    ]
    everyone: list[Target] = [*own, *peers(bert), article(bert)]
    failed: dict[str, str] = {}
    count = sum(1 + target.rounds for target in everyone)
    with ExitStack() as stack, Steps("throughput", count, console) as steps:
        servers: list[Server] = []
        positives: list[float] = []
        for target in everyone:
            steps.now(f"starting {target.name}")
            server = Server(target)
            stack.callback(server.stop)
            try:
                positive = server.wait(mixed(POOL)[0])
                # Peers that served other weights would be no peers.
                if positives and abs(positive - positives[0]) > 0.02:
                    raise RuntimeError(f"it answers {positive:.3f}, the fp32 model {positives[0]:.3f}")
            except (RuntimeError, OSError) as error:
                if target in own:
                    raise
                failed[target.name] = str(error).splitlines()[0]
                steps.done(f"{target.name} FAILED: {error}", 1 + target.rounds)
                server.stop()
                continue
            steps.done(f"{target.name} answers P(positive) = {positive:.3f}")
            server.freeze()
            servers.append(server)
            positives.append(positive)
        engines = {
            OURS: Raw(RAW, bert.int8, best_plan(bert.int8)),
            OURS_POST_TRAINING: Raw(
                RAW_POST_TRAINING, bert.int8_post_training, best_plan(bert.int8_post_training)
            ),
        }
        return {**_rounds(servers, len(own), engines, steps, failed), "failed": failed}


def _rounds(
    servers: list[Server], own: int, engines: dict[str, Raw], steps: Steps, failed: dict[str, str]
) -> dict[str, Any]:
    figures: dict[str, list[float]] = {}
    loads, client = [], 0.0
    for number in range(ROUNDS):
        for at, server in enumerate(servers):
            name = server.target.name
            if name in failed or number >= server.target.rounds:
                continue
            steps.now(f"round {number + 1} of {ROUNDS}: {name}")
            slow = name == "the article's way"
            server.thaw()
            try:
                # Four workers of one text each: more connections would only wait.
                seen = closed(server, server.target.seconds, 4 if slow else CONNECTIONS)
            except RuntimeError as error:
                if at < own:
                    raise
                failed[name] = str(error).splitlines()[0]
                figures.pop(name, None)
                steps.done(f"{name} FAILED: {error}", server.target.rounds - number)
                continue
            finally:
                server.freeze()
            client = max(client, seen.cpu_share)
            figures.setdefault(name, []).append(len(seen.answers) / seen.seconds)
            if alone := engines.get(name):
                steps.now(f"round {number + 1} of {ROUNDS}: {alone.name}")
                found = raw(alone.package, 5.0, (alone.plan,))[alone.plan]
                figures.setdefault(alone.name, []).append(found)
                loads.append(load_average())
            steps.done(f"{name}: {figures[name][-1]:.1f} texts/s")
    return {
        "plans": {one.name: one.plan for one in engines.values()},
        "connections": CONNECTIONS, "rounds": ROUNDS, "texts_per_second": figures,
        "client_cpu_share": round(client, 3), "load_average": loads,
    }  # fmt: skip


def bundled(console: Console) -> dict[str, Any]:
    """(f): the model of the image, against the raw engine; singles and the batch endpoint."""
    singles: list[float] = []
    many: list[float] = []
    alone: list[float] = []
    client = 0.0
    loads = []
    with ExitStack() as stack, Steps("bundled", ROUNDS, console) as steps:
        server = Server(ours(BUNDLED))
        stack.callback(server.stop)
        server.wait(mixed(POOL)[0])
        plan = best_plan(BUNDLED)
        for _ in range(ROUNDS):
            server.thaw()
            seen = closed(server, 6.0)
            client = max(client, seen.cpu_share)
            singles.append(len(seen.answers) / seen.seconds)
            many.append(bulk(server, 5.0))
            server.freeze()
            alone.append(raw(BUNDLED, 4.0, (plan,))[plan])
            loads.append(load_average())
            steps.done(f"single {singles[-1]:.0f}, batch {many[-1]:.0f}, raw {alone[-1]:.0f} texts/s")
    return {
        "plan": plan, "single": singles, "batch": many, "raw": alone,
        "client_cpu_share": round(client, 3), "load_average": loads,
    }  # fmt: skip


def gains(console: Console) -> dict[str, Any]:
    """(e): what not padding gains, and what batching gains beyond it; the engine alone."""
    bert = ensure()
    plans = ("padded-512", "single", "arrival-32", *SORTED)
    found: dict[str, dict[str, list[float]]] = {}
    loads = []
    with Steps("gains", 2 * 2, console) as steps:
        for _ in range(2):
            for name, package in (("BERT-base int8", bert.int8), ("bundled", BUNDLED)):
                steps.now(name)
                for plan, value in raw(package, 2.0, plans).items():
                    found.setdefault(name, {}).setdefault(plan, []).append(value)
                loads.append(load_average())
                steps.done(f"{name}: " + ", ".join(f"{p} {v[-1]:.0f}/s" for p, v in found[name].items()))
    return {"texts_per_second": found, "load_average": loads}
