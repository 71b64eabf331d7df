"""What a small device gives: the service in a cgroup with as much as `profile: edge` gives its pods.

Needs root, as whoever makes cgroups does.
"""

from __future__ import annotations

import os
import shlex
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from sentiment_operator.api.quantity import amount
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_service.cli.load import Job, Seen, send

from bench.bert_base import ensure
from bench.measure import POOL, figure, mixed, percentile
from bench.memory import highest, pss
from bench.paths import BUNDLED
from bench.progress import Steps
from bench.report import outcome
from bench.targets import Server, ours

_ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000


@contextmanager
def held(cores: float, memory: int) -> Iterator[list[Path]]:
    """Files of a cgroup (v1 or v2) with these limits; a process enters it by writing its id into each."""
    name, quota = f"sentiment-bench-{os.getpid()}", int(cores * _PERIOD)
    if (_ROOT / "cgroup.controllers").exists():
        limits = {_ROOT / name: {"memory.max": str(memory), "cpu.max": f"{quota} {_PERIOD}"}}
    else:
        limits = {
            _ROOT / "memory" / name: {"memory.limit_in_bytes": str(memory)},
            _ROOT / "cpu" / name: {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(quota)},
        }
    for folder, files in limits.items():
        folder.mkdir()
        for file, value in files.items():
            (folder / file).write_text(value)
    try:
        yield [folder / "cgroup.procs" for folder in limits]
    finally:
        for folder in limits:
            folder.rmdir()


def measure(console: Console) -> dict[str, str]:
    """Name → figure: memory, and latency with one and with eight clients."""
    found: dict[str, str] = {}
    cases = {"bundled": (BUNDLED, {}), "BERT-base int8": (ensure().int8, {"modelRef": {"name": "m"}})}
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
    enter = "; ".join(f"echo $$ > {door}" for door in doors)
    command = ["sh", "-c", f"{enter}; exec {shlex.join(target.command)}"]
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
