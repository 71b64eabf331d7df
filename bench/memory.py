"""What the service keeps in memory: Pss and private pages of all its processes, from smaps_rollup.

Pss shares a page among those who map it, so the sum over all processes is what the machine gives; page
cache that the model is mapped from is in it while it is mapped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from sentiment_service.cli.load import Job, send

from bench.bert_base import ensure
from bench.measure import POOL, figure, mixed
from bench.progress import Steps
from bench.report import outcome, verdict
from bench.targets import Server, ours

MB = 1e6
SETTLE_SECONDS = 2.0
# An engine without work prepares the usual shapes, then gives back what only that took.
IDLE_SECONDS = 12.0
SOAK_SECONDS = 600
ENGINE = "sentiment_service.engine.child"


def taken(pid: int, *fields: str) -> float:
    """The sum of these fields of a process's smaps_rollup, MB; 0 when it has ended."""
    total = 0
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in fields:
                total += int(rest.split()[0]) * 1024
    return total / MB


def pages(server: Server, *fields: str) -> float:
    """The same over all processes of the server."""
    return sum(taken(process.pid, *fields) for process in server.processes())


def pss(server: Server) -> float:
    return pages(server, "Pss")


def private(server: Server) -> float:
    """Of the processes that serve HTTP: all share one engine, whose own spread is larger than a worker."""
    http = [one for one in server.processes() if ENGINE not in " ".join(one.cmdline())]
    return sum(taken(process.pid, "Private_Dirty", "Private_Clean") for process in http)


@contextmanager
def highest(value: Callable[[], float], every: float = 0.01) -> Iterator[list[float]]:
    """The greatest value in the block, looked at `every` so many seconds."""
    found = [0.0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(every):
            found[0] = max(found[0], value())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


@contextmanager
def serving(package: Path, **settings: str) -> Iterator[Server]:
    server = Server(ours(package, f"memory-{package.name}", WARM_UP="false", **settings))
    try:
        server.wait_for_port()
        time.sleep(SETTLE_SECONDS)
        yield server
    finally:
        server.stop()


def traffic(server: Server, seconds: float = 4.0) -> None:
    seen = send(Job(server.port, server.target.path, server.target.render(mixed(POOL)), 32, seconds))
    if seen.failed:
        raise RuntimeError(f"{seen.failed} failed requests, first: {seen.first_failure}")


def measure(console: Console) -> dict[str, str]:
    """Name → figure, with the bar where there is one."""
    bert = ensure()
    found: dict[str, str] = {}
    work: dict[str, float] = {}
    idle: dict[str, float] = {}
    own: dict[str, float] = {}
    packages = {"fp32": bert.fp32, "int8": bert.int8, "int8 post-training": bert.int8_post_training}
    size = {name: (package / "model.bin").stat().st_size / MB for name, package in packages.items()}
    with Steps("memory", len(packages) + 2, console) as steps:
        for name, package in packages.items():
            with serving(package, IDLE_UNLOAD_SECONDS=str(IDLE_SECONDS + 2)) as server:
                start = pss(server)
                with highest(lambda: pss(server)) as peak:
                    server.ask("好")
                    time.sleep(1.0)
                with highest(lambda: pss(server)) as busy:
                    traffic(server)
                work[name], own[name] = busy[0], busy[0] - start
                time.sleep(IDLE_SECONDS)
                idle[name] = pss(server)
                after = _settled(server, start * 1.15)
            found[f"{name}: before the model, MB"] = figure(start)
            found[f"{name}: at work, MB"] = figure(work[name])
            found[f"{name}: loaded, without work, MB"] = figure(idle[name])
            found[f"{name}: peak while loading ÷ loaded"] = outcome(peak[0] / idle[name], 1.3, least=False)
            found[f"{name}: after idle unload ÷ before"] = outcome(after / start, 1.15, least=False)
            steps.done(
                f"{name}: {start:.0f} → {work[name]:.0f} MB at work, {idle[name]:.0f} without, "
                f"peak {peak[0]:.0f}, unloaded {after:.0f}"
            )
        privately = {}
        for workers in (1, 4):
            with serving(bert.int8, WORKERS=str(workers)) as server:
                server.ask("好")
                traffic(server)
                privately[workers] = private(server)
            steps.done(f"{workers} workers: {privately[workers]:.0f} MB private")
    each = (privately[4] - privately[1]) / 3
    found["each further worker, private MB"] = figure(each)
    found["each further worker ÷ int8 model file"] = outcome(each / size["int8"], 0.15, least=False)
    for name in ("int8", "int8 post-training"):
        smaller = 1 - size[name] / size["fp32"]
        found[f"{name}: file smaller than fp32 by"] = f"{smaller:.2%}, {verdict(smaller, 0.75, least=True)}"
        for what, mb in (
            ("the model at work, less the service before it", own), ("the whole service at work", work),
            ("the whole service without work", idle),
        ):  # fmt: skip
            found[f"{name}: less resident than fp32, {what}"] = outcome(
                1 - mb[name] / mb["fp32"], 0.60, least=True
            )
    return found


def soak(console: Console) -> dict[str, str]:
    """Ten minutes of mixed traffic; how much the service grew after the first of them."""
    bert = ensure()
    with Steps("soak", 10, console) as steps, serving(bert.int8, WORKERS="2") as server:
        series = []
        for minute in range(10):
            traffic(server, SOAK_SECONDS / 10)
            series.append(pss(server))
            steps.done(f"after minute {minute + 1}: {series[-1]:.1f} MB")
    return {
        "after each minute, MB": ", ".join(figure(value) for value in series),
        "last ÷ second minute": outcome(series[-1] / series[1], 1.02, least=False),
    }


def _settled(server: Server, at_most: float, seconds: float = 20.0) -> float:
    """Pss once it is down, or what it is after so long."""
    end = time.monotonic() + seconds
    while (now := pss(server)) > at_most and time.monotonic() < end:
        time.sleep(0.2)
    return now
