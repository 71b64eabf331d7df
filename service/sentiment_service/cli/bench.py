"""`sentiment-service bench`: what this machine can do with this model.

A server of its own on a free port, asked over HTTP by a client that shares its cores, as every figure of the
project is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from sentiment_service.cli.load import Job, Seen, send
from sentiment_service.cpu import usable_threads
from sentiment_service.engine.memory import usage
from sentiment_service.healthcheck import ready

_ANALYZE = "/api/v1/sentiment/analyze"
_BATCH = "/api/v1/sentiment/analyze/batch"
_BATCH_ITEMS = 32
_START_SECONDS = 120.0
_SENTENCES = (
    "这款手机拍照效果真的很棒，电池续航也很给力！",
    "服务态度很好，解决问题很快",
    "产品质量一般，没有宣传的那么好",
    "物流速度太慢了，等了一周才到，包装也破了",
    "客服完全不理人，差评",
    "价格实惠，性价比高",
    "酒店位置不错，离地铁站走路五分钟，早餐种类也多，就是隔音差了一点，晚上能听到走廊里的声音",
    "书的内容很充实，讲得深入浅出",
)


class BenchError(Exception):
    """The server did not start, or refused; the message has its words."""


class Figures(NamedTuple):
    """Of one kind of load."""

    name: str
    texts_a_second: float
    median_ms: float
    p95_ms: float
    p99_ms: float


def figures(name: str, seen: Seen, items: int = 1) -> Figures:
    """Raises BenchError when a request failed."""
    if seen.failed or len(seen.latencies) < 2:
        raise BenchError(f"{name}: {seen.first_failure or 'no answers in time: measure longer (--seconds)'}")
    cuts = statistics.quantiles(seen.latencies, n=100, method="inclusive")
    return Figures(name, len(seen.latencies) * items / seen.seconds, cuts[49], cuts[94], cuts[98])


def texts() -> list[str]:
    """All different, so that none is answered as a repeat of another."""
    return [f"{sentence}（{number}）" for number in range(64) for sentence in _SENTENCES]


def run(seconds: float, show: Callable[[str], object] = print) -> int:
    """Print the figures as they are measured."""
    singles = [json.dumps({"text": text}) for text in texts()]
    batches = [
        json.dumps({"texts": texts()[at : at + _BATCH_ITEMS]}) for at in range(0, len(singles), _BATCH_ITEMS)
    ]
    try:
        with _server() as (port, process):
            show(f"{usable_threads()} CPUs; {seconds:g} s each, client and server on the same cores")
            show(f"{'':<34}{'texts/s':>10}{'median':>10}{'95 %':>10}{'99 %':>10}")

            def measure(name: str, bodies: list[str], path: str, connections: int, items: int) -> Figures:
                job = Job(port, path, bodies, connections, seconds, warm_seconds=min(1.0, seconds))
                found = figures(name, send(job), items)
                times = "".join(f"{ms:>7.1f} ms" for ms in found[2:])
                show(f"{name:<34}{found.texts_a_second:>10.0f}{times}")
                return found

            alone = measure("one text, one caller", singles, _ANALYZE, 1, 1)
            many = measure("one text, 32 callers", singles, _ANALYZE, 32, 1)
            batch = measure(f"{_BATCH_ITEMS} texts, two callers", batches, _BATCH, 2, _BATCH_ITEMS)
            gain = batch.texts_a_second / alone.texts_a_second
            show(f"batches ÷ one after the other: {gain:.1f}; 32 callers ÷ one: "
                 f"{many.texts_a_second / alone.texts_a_second:.1f}")  # fmt: skip
            pids = [process.pid, *(child.pid for child in process.children(recursive=True))]
            show(f"memory after that: {usage(pids).pss / 1e6:.0f} MB")
    except BenchError as error:
        print(f"sentiment-service: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _server() -> Iterator[tuple[int, psutil.Process]]:
    """`serve` with the settings of the environment, on a free port of loopback, loaded."""
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": "0", "WARM_UP": "true", "LOG_FILE": "",
                   "API_KEYS_FILE": "", "ROOT_PATH": "", "LOG_LEVEL": "INFO"}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            command = [sys.executable, "-m", "sentiment_service", "serve"]
            started = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _wait(started, log), psutil.Process(started.pid)
        finally:
            started.terminate()
            started.wait()


def _wait(started: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + _START_SECONDS
    port = 0
    while time.monotonic() < end and started.poll() is None:
        port = port or _port(log)
        if port and ready(port):
            return port
        time.sleep(0.05)
    raise BenchError(f"the server did not become ready; its last words:\n{log.read_text('utf-8')[-2000:]}")


def _port(log: Path) -> int:
    for line in log.read_text("utf-8").splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if entry.get("message") == "listening":
                return int(entry["port"])
    return 0
