"""p99 at 70 % load: open loop, Poisson arrivals, latency from when each was due.

Load as in queueing theory: arrivals a second × one request's service time ÷ the cores that serve. Beside it
the heavier 70 % of what the service reaches when it may batch as much as it likes.
"""

from __future__ import annotations

import os
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
        "BERT-base int8 post-training, 35 tokens": (bert.int8_post_training, even),
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
                    f"{name}: one request {last['service_ms']:.1f} ms; "
                    + "; ".join(
                        f"at {last[f'{load}_rate']:.0f}/s p50 {last[f'{load}_p50_ms']:.1f}, "
                        f"p99 {last[f'{load}_p99_ms']:.1f} ms"
                        for load in ("offered", "batched")
                    )
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
    service = statistics.fmean(alone.latencies)
    capacity = job(128, 4, 2)
    rates = {
        "offered": LOAD * len(os.sched_getaffinity(0)) / service * 1000,
        "batched": LOAD * len(capacity.answers) / capacity.seconds,
    }
    # One request's service time: nobody else asks. Of mixed lengths, that of the slowest in a hundred too.
    figures = {"service_ms": service, "service_p99_ms": percentile(alone.latencies, 0.99)}
    for load, rate in rates.items():
        seen = job(512, 12, 1, rate)
        figures |= {
            f"{load}_rate": rate,
            f"{load}_p50_ms": percentile(seen.latencies, 0.5),
            f"{load}_p99_ms": percentile(seen.latencies, 0.99),
            f"{load}_requests": len(seen.answers),
            f"{load}_client_cpu_share": round(seen.cpu_share, 3),
        }
    return figures | {"load_average": load_average()}
