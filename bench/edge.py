"""What a small device gives: the service in a cgroup with as much as `profile: edge` gives its pods.

Needs root, as whoever makes cgroups does.
"""

from __future__ import annotations

import shlex
import statistics
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from sentiment_operator.api.quantity import amount
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_service.cli.load import Job, Seen, send

from bench.bert_base import ensure
from bench.limits import held
from bench.measure import POOL, figure, mixed, percentile
from bench.memory import highest, pss
from bench.paths import BUNDLED
from bench.progress import Steps
from bench.report import outcome
from bench.targets import Server, ours


def measure(console: Console) -> dict[str, str]:
    """Name → figure: memory, and latency with one and with eight clients."""
    found: dict[str, str] = {}
    bert, large = ensure(), {"modelRef": {"name": "m"}}
    cases = {
        "bundled": (BUNDLED, {}),
        "BERT-base int8": (bert.int8, large),
        "BERT-base int8 post-training": (bert.int8_post_training, large),
    }
    with Steps("edge", len(cases), console) as steps:
        for name, (package, model) in cases.items():
            steps.now(name)
            spec = SentimentServiceSpec.model_validate({"profile": "edge", "model": model})
            limits = spec.pod_resources.limits
            assert limits.cpu
            memory = int(amount(limits.memory))
            with held(float(amount(limits.cpu)), memory) as doors:
                found |= {f"{name}: {what}": value for what, value in _case(package, doors, memory).items()}
            steps.done(f"{name}: {found[f'{name}: greatest Pss, MB (share of the limit)']} MB")
    return found


def _case(package: Path, doors: list[Path], memory: int) -> dict[str, str]:
    target = ours(package, f"edge-{package.name}", WARM_UP="false")
    way_in = "; ".join(f"echo $$ > {door}" for door in doors)
    command = ["sh", "-c", f"{way_in}; exec {shlex.join(target.command)}"]
    server = Server(replace(target, command=command))

    def job(connections: int, seconds: float) -> Seen:
        seen = send(Job(server.port, target.path, target.render(mixed(POOL)), connections, seconds, 1))
        if seen.failed:
            raise RuntimeError(f"{seen.failed} failed requests, first: {seen.first_failure}")
        return seen

    try:
        server.wait_for_port()
        with highest(lambda: pss(server)) as peak:
            begin = time.monotonic()
            server.ask("很好")
            first = time.monotonic() - begin
            alone, eight = job(1, 10), job(8, 20)
    finally:
        server.stop()
    share = peak[0] * 1e6 / memory
    return {
        "first answer, the model not loaded yet, ms": figure(first * 1000),
        "one client, mean (p99), ms": f"{figure(statistics.fmean(alone.latencies))} "
        f"({figure(percentile(alone.latencies, 0.99))})",
        "eight clients, requests/s": figure(len(eight.answers) / eight.seconds),
        "eight clients, p50 (p99), ms": f"{figure(percentile(eight.latencies, 0.5))} "
        f"({figure(percentile(eight.latencies, 0.99))})",
        "greatest Pss, MB (share of the limit)": f"{figure(peak[0])} ({outcome(share, 0.85, least=False)})",
    }
