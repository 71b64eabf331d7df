"""The torch engine on a GPU, beside the same machine's CPU, the article's way and the raw loop."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from sentiment_service.cli.load import Job, Seen, send

from bench.bert_base import ensure, torch_interpreter
from bench.measure import mixed, percentile
from bench.progress import Steps
from bench.targets import ANALYZE, Server, Target, article, ours
from bench.throughput import raw

ROUNDS = 2
SECONDS = 6.0
# So many that those under way are different: repeats are answered once.
TEXTS = 6400
# One process that sends is busy before the service is.
SENDERS, CONNECTIONS = 4, 64
BATCH_TEXTS, BATCHES = 100, 8
PLANS = ("padded-512", "single", "sorted-1024", "sorted-4096", "sorted-16384", "sorted-65536")


def query(what: str) -> str:
    """What nvidia-smi says of the first GPU. RuntimeError without one."""
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"no CUDA device: {error}") from error
    return done.stdout.strip()


def used_memory() -> int:
    """MB of the GPU's memory that all processes have together."""
    return int(query("memory.used"))


def servers() -> list[Target]:
    """What is compared; the service with its defaults but for the number of HTTP processes."""
    bert, python = ensure(), torch_interpreter()
    cpu = {"CUDA_VISIBLE_DEVICES": "", "WORKERS": "0"}
    found = [
        ours(bert.checkpoint, "GPU, torch, one HTTP process", python, ENGINE="torch", WORKERS="1"),
        ours(bert.checkpoint, "GPU, torch, WORKERS=0", python, ENGINE="torch", WORKERS="0"),
        replace(
            ours(bert.checkpoint, "CPU, torch, WORKERS=0", python, ENGINE="torch", **cpu),
            rounds=1,
            seconds=30.0,
        ),
        ours(bert.int8, "CPU, OpenVINO int8, WORKERS=0", python, ENGINE="openvino", **cpu),
        replace(article(bert), name="GPU, the article's way"),
    ]
    return [one if one.rounds == 1 else replace(one, rounds=ROUNDS, seconds=SECONDS) for one in found]


def measure(console: Console) -> dict[str, Any]:
    device, driver = query("name,driver_version").split(", ")
    texts = mixed(TEXTS)
    rows: dict[str, dict[str, list[float]]] = {}
    shares: dict[str, list[dict[str, float]]] = {}
    bert, python = ensure(), torch_interpreter()
    before, targets = used_memory(), servers()
    with ExitStack() as stack, Steps("gpu", 3 + sum(target.rounds for target in targets), console) as steps:
        steps.now("raw loop")
        loop = raw(bert.checkpoint, SECONDS, PLANS, texts=TEXTS, python=python)
        steps.done("raw loop: " + ", ".join(f"{plan} {value:.0f} texts/s" for plan, value in loop.items()))
        running: list[Server] = []
        for target in targets:
            steps.now(f"starting {target.name}")
            running.append(server := Server(target))
            stack.callback(server.stop)
            if server is running[0]:
                first = server.wait(texts[0])
                memory = used_memory() - before
                if '"device": "cuda' not in server.log.read_text():
                    raise RuntimeError(f"torch of {python} finds no CUDA device, and computes on the CPU")
        for server in running:
            if abs((positive := server.wait(texts[0])) - first) > 0.02:
                raise RuntimeError(f"{server.target.name} answers {positive:.3f}, the first {first:.3f}")
            server.freeze()
        steps.done(f"all answer alike; one engine has {memory} MB of the GPU")
        for number in range(ROUNDS):
            for server in running:
                if number >= server.target.rounds:
                    continue
                steps.now(f"round {number + 1} of {ROUNDS}: {server.target.name}")
                server.thaw()
                figures, share = (of_article if server is running[-1] else of)(server, texts)
                server.freeze()
                shares.setdefault(server.target.name, []).append(share)
                for figure, value in figures.items():
                    rows.setdefault(server.target.name, {}).setdefault(figure, []).append(value)
                steps.done(
                    f"{server.target.name}: "
                    + ", ".join(f"{n} {v:.4g}" for n, v in (figures | share).items())
                )
        running[0].thaw()
        restart = restarted(running[0], texts[0])
        steps.done(f"killed engine: an answer after {restart:.1f} s")
    return {
        "device": device, "driver": driver, "rounds": ROUNDS, "raw": loop, "rows": rows, "shares": shares,
        "memory_mb": memory, "restart_seconds": restart, "connections": SENDERS * CONNECTIONS,
        "batch_texts": BATCH_TEXTS, "batches": BATCHES,
    }  # fmt: skip


def of(server: Server, texts: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Texts a second of single requests and of batches, latency in ms of one caller; and what was busy during
    the single ones."""
    bodies = server.target.render(texts)
    batches = [json.dumps({"texts": texts[at : at + BATCH_TEXTS]}, ensure_ascii=False)
               for at in range(0, TEXTS, BATCH_TEXTS)]  # fmt: skip
    alone = _good(server, send(Job(server.port, ANALYZE, bodies, 1, server.target.seconds / 2, 0.5)))
    with _Busy(server) as busy:
        single = closed(server, bodies, CONNECTIONS, SENDERS)
    with _Busy(server) as busy_batch:
        batch = BATCH_TEXTS * closed(server, batches, BATCHES // 2, 2, f"{ANALYZE}/batch")
    figures = {
        "single": single, "batch": batch,
        "alone_ms": percentile(alone.latencies, 0.5), "alone_p99_ms": percentile(alone.latencies, 0.99),
    }  # fmt: skip
    return figures, {**busy.share, **{f"batch_{name}": value for name, value in busy_batch.share.items()}}


def of_article(server: Server, texts: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Four workers of one text each: more connections would only wait."""
    bodies = server.target.render(texts)
    alone = _good(
        server, send(Job(server.port, server.target.path, bodies, 1, server.target.seconds / 2, 0.5))
    )
    figures = {
        "single": closed(server, bodies, 4, 1),
        "alone_ms": percentile(alone.latencies, 0.5), "alone_p99_ms": percentile(alone.latencies, 0.99),
    }  # fmt: skip
    return figures, {}


def closed(server: Server, bodies: list[str], connections: int, senders: int, path: str = ANALYZE) -> float:
    """Requests a second of so many senders with so many connections each; each sends its own part."""
    jobs = [
        Job(server.port, path, bodies[at::senders], connections, server.target.seconds, 1.0)
        for at in range(senders)
    ]
    with ThreadPoolExecutor(senders) as pool:
        seen = [_good(server, one) for one in pool.map(send, jobs)]
    return sum(len(one.answers) / one.seconds for one in seen)


def restarted(server: Server, text: str) -> float:
    """Seconds from SIGKILL of a loaded engine to the next answer of the service."""
    server.ask(text)
    [engine] = [one for one in server.processes() if "sentiment_service.engine.child" in one.cmdline()]
    engine.kill()
    begin = time.monotonic()
    server.wait(text)
    return time.monotonic() - begin


class _Busy:
    """Shares of a core that the processes take, of the time that the engine works, and texts in a run."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.share: dict[str, float] = {}

    def __enter__(self) -> _Busy:
        self._before, self._cpu, self._begin = _metrics(self._server), self._taken(), time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.monotonic() - self._begin
        after, cpu = _metrics(self._server), self._taken()
        taken = sorted((value - self._cpu.get(key, 0.0)) / seconds for key, value in cpu.items() if key[1])
        first = next((cpu[key] - self._cpu.get(key, 0.0)) / seconds for key in cpu if not key[1])
        grown = {name: after[name] - self._before[name] for name in after}
        runs = max(1.0, grown["structbert_batch_size_count"])
        self.share = {
            "first_process_cpu": first,
            "busiest_other_cpu": taken[-1] if taken else 0.0,
            "engine_busy": grown["structbert_engine_seconds_sum"] / seconds,
            "texts_a_run": grown["structbert_batch_size_sum"] / runs,
            "padding": grown["structbert_padding_tokens_total"]
            / max(1.0, grown["structbert_padding_tokens_total"] + grown["structbert_tokens_total"]),
        }

    def _taken(self) -> dict[tuple[int, bool], float]:
        """CPU seconds of each process: its id, and whether it is another than the first."""
        first, *others = self._server.processes()
        times = {(first.pid, False): first.cpu_times()}
        for process in others:
            times[process.pid, True] = process.cpu_times()
        return {key: one.user + one.system for key, one in times.items()}


_COUNTED = (
    "structbert_batch_size_count", "structbert_batch_size_sum",
    "structbert_engine_seconds_sum", "structbert_tokens_total", "structbert_padding_tokens_total",
)  # fmt: skip


def _metrics(server: Server) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=20) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples]
    return {name: sum(one.value for one in samples if one.name == name) for name in _COUNTED}


def _good(server: Server, seen: Seen) -> Seen:
    if seen.failed or not seen.answers:
        raise RuntimeError(f"{server.target.name}: {seen.failed} failed, first: {seen.first_failure}")
    return seen
