"""p99 at 70 % of the service's own capacity: open loop, Poisson arrivals, latency from when each was due."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from sentiment_service.cli.load import Job, Seen, send

from bench.bert_base import ensure
from bench.measure import POOL, load_average, mixed, percentile
from bench.paths import BUNDLED
from bench.progress import Steps
from bench.targets import Server, ours
from bench.texts import MEDIAN_TOKENS

ROUNDS = 2
LOAD = 0.7


def latency(console: Console) -> dict[str, Any]:
    """(d): reviews of the median length, where every request costs the same, and mixed ones."""
    bert = ensure()
    even = [text for text in mixed(2000) if abs(len(text) + 2 - MEDIAN_TOKENS) <= 2]
    cases = {
        "BERT-base int8, 35 tokens": (bert.int8, even),
        "BERT-base int8, mixed": (bert.int8, mixed(POOL)),
        "bundled, mixed": (BUNDLED, mixed(POOL)),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    with ExitStack() as stack, Steps("latency", ROUNDS * len(cases), console) as steps:
        servers: dict[str, Server] = {}
        for name, (package, texts) in cases.items():
            steps.now(f"starting {name}")
            servers[name] = Server(ours(package))
            stack.callback(servers[name].stop)
            servers[name].wait(texts[0])
            servers[name].freeze()
        for number in range(ROUNDS):
            for name, (_, texts) in cases.items():
                server = servers[name]
                server.thaw()
                steps.now(f"{name}, round {number + 1}")
                found[name].append(_round(server, texts, number))
                server.freeze()
                last = found[name][-1]
                steps.done(
                    f"{name}: one request {last['service_ms']:.1f} ms; at {last['rate']:.0f}/s "
                    f"p50 {last['p50_ms']:.1f}, p99 {last['p99_ms']:.1f} ms"
                )
    return {"load": LOAD, "rounds": found}


def _round(server: Server, texts: list[str], number: int) -> dict[str, float]:
    def job(connections: int, seconds: float, warm: float, rate: float = 0.0) -> Seen:
        target = server.target
        seen = send(
            Job(server.port, target.path, target.render(texts), connections, seconds, warm, rate, number + 1)
        )
        if seen.failed:
            raise RuntimeError(f"{target.name}: {seen.failed} failed requests, first: {seen.first_failure}")
        return seen

    alone = job(1, 4, 1)
    capacity = job(128, 4, 2)
    rate = LOAD * len(capacity.answers) / capacity.seconds
    loaded = job(512, 12, 1, rate)
    # One request's service time: nobody else asks. Of mixed lengths, that of the slowest in a hundred too.
    return {
        "service_ms": statistics.fmean(alone.latencies),
        "service_p99_ms": percentile(alone.latencies, 0.99),
        "rate": rate,
        "p50_ms": percentile(loaded.latencies, 0.5),
        "p99_ms": percentile(loaded.latencies, 0.99),
        "requests": len(loaded.answers),
        "client_cpu_share": round(loaded.cpu_share, 3),
        "load_average": load_average(),
    }
