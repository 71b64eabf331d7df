"""The servers that are measured: how each is started, asked and understood."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.bert_base import BertBase
from bench.paths import CACHE, ROOT

PEERS = ROOT / "bench/peers"
START_SECONDS = 300
SLOW_SECONDS = 20.0
ANALYZE = "/api/v1/sentiment/analyze"


@dataclass(frozen=True)
class Target:
    """`command` holds {port}; `positive` reads P(positive) of the first text out of an answer.

    One that is not `frozen` while others are measured costs nothing when idle: gunicorn would take
    workers that were stopped for two minutes for hung. `seconds` is how long it is measured, and `rounds` how
    often: the slower it is, and the larger its batches, the longer, so that enough requests end, and the less
    often, for what is ten times as slow needs no spread.
    """

    name: str
    command: list[str]
    path: str
    body: Callable[[str], dict[str, Any]]
    positive: Callable[[Any], float]
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    frozen: bool = True
    seconds: float = 6.0
    rounds: int = 3

    def render(self, texts: Sequence[str]) -> list[str]:
        return [json.dumps(self.body(text), ensure_ascii=False) for text in texts]


def ours(
    package: Path, name: str = "sentiment-service", python: str = sys.executable, **settings: str
) -> Target:
    """This project's server with its default settings, but for the model and what is given."""
    return Target(
        name,
        [python, "-m", "sentiment_service", "serve", "--host", "127.0.0.1", "--port", "{port}"],
        ANALYZE,
        lambda text: {"text": text},
        _ours_positive,
        {"MODEL_DIR": str(package), "WARM_UP": "true", **settings},
    )


def _ours_positive(answer: Any) -> float:
    data = answer["data"]
    confidence = float(data["confidence"])
    return confidence if data["sentiment"] == "积极" else 1 - confidence


def peers(bert: BertBase) -> list[Target]:
    """Every peer in the setups that its own documentation offers for this task on a CPU."""
    infinity, litserve = environment("infinity"), environment("litserve")
    bento = environment("bentoml")
    onnx = export_onnx(bert, infinity)
    found = [
        _infinity(infinity, "infinity-emb, torch", bert.checkpoint, "torch"),
        _infinity(infinity, "infinity-emb, optimum int8", onnx, "optimum"),
    ]
    for engine, label, model in (
        ("torch", "torch", bert.checkpoint),
        ("onnx", "onnxruntime int8", onnx),
        ("openvino", "our OpenVINO int8 model", bert.int8),
    ):
        found.append(
            Target(
                f"LitServe, {label}",
                [str(litserve / "bin/python"), "server.py", "{port}"],
                "/predict",
                lambda text: {"text": text},
                lambda answer: float(answer["positive"]),
                _shared(bert, engine, model),
                PEERS / "litserve",
                seconds=SLOW_SECONDS,
                rounds=1 if engine == "torch" else 3,
            )
        )
    for engine, label, model in (("torch", "torch", bert.checkpoint), ("onnx", "onnxruntime int8", onnx)):
        found.append(
            Target(
                f"BentoML, {label}",
                [str(bento / "bin/bentoml"), "serve", "service:Classifier", "--host", "127.0.0.1",
                 "--port", "{port}"],
                "/classify",
                lambda text: {"texts": [text]},
                lambda answer: float(answer[0]),
                {**_shared(bert, engine, model), "BENTOML_DO_NOT_TRACK": "true",
                 "BENTOML_HOME": str(CACHE / "bentoml")},
                PEERS / "bentoml",
                seconds=SLOW_SECONDS,
                rounds=1 if engine == "torch" else 3,
            )
        )  # fmt: skip
    return found


def article(bert: BertBase) -> Target:
    python = environment("article")
    return Target(
        "the article's way",
        [str(python / "bin/gunicorn"), "-c", "gunicorn_config.py", "-b", "127.0.0.1:{port}", "server:app"],
        ANALYZE,
        lambda text: {"text": text},
        _ours_positive,
        {"BENCH_MODEL": str(bert.checkpoint)},
        PEERS / "article",
        frozen=False,
        seconds=SLOW_SECONDS,
    )


def _infinity(python: Path, name: str, model: Path, engine: str) -> Target:
    """Started in the model's folder as `.`: with a path its optimum engine does not find the ONNX files."""

    def positive(answer: Any) -> float:
        return next(float(one["score"]) for one in answer["data"][0] if one["label"] == "正面")

    return Target(
        name,
        [str(python / "bin/infinity_emb"), "v2", "--model-id", ".", "--served-model-name", "m",
         "--engine", engine, "--device", "cpu", "--no-model-warmup",
         "--host", "127.0.0.1", "--port", "{port}"],
        "/classify",
        lambda text: {"model": "m", "input": [text]},
        positive,
        {"HF_HOME": str(model.parent / "huggingface"), "DO_NOT_TRACK": "1"},
        model,
        seconds=SLOW_SECONDS,
        rounds=1 if engine == "torch" else 3,
    )  # fmt: skip


def _shared(bert: BertBase, engine: str, model: Path) -> dict[str, str]:
    return {
        "BENCH_ENGINE": engine,
        "BENCH_MODEL": str(model),
        "BENCH_TOKENIZER": str(bert.checkpoint),
        "PYTHONPATH": str(PEERS / "common"),
    }


def environment(peer: str) -> Path:
    """The peer's own virtual environment from its hashed requirements; made when missing."""
    requirements = PEERS / peer / "requirements.txt"
    home = CACHE / f"env-{peer}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    if not (home / "complete").exists():
        uv = subprocess.run([ROOT / "e2e/bootstrap.sh"], check=True, stdout=subprocess.PIPE, text=True)
        tool = uv.stdout.strip()
        python = str(home / "bin/python")
        subprocess.run([tool, "venv", "-q", "--python", "3.11", "--clear", home], check=True)
        subprocess.run(
            [tool, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", requirements],
            check=True,
        )
        (home / "complete").touch()
    return home


def export_onnx(bert: BertBase, infinity: Path) -> Path:
    """The same weights for ONNX Runtime, fp32 and dynamic int8, beside the checkpoint."""
    out = bert.root.with_name(bert.root.name + "-onnx")
    if not out.is_dir():
        staging = out.with_name(f".{out.name}.{os.getpid()}")
        script = PEERS / "infinity/export_onnx.py"
        subprocess.run([infinity / "bin/python", script, bert.checkpoint, staging], check=True)
        staging.rename(out)
    return out


class Server:
    """A started target. Frozen ones take no CPU while another is measured."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.port = _free_port()
        CACHE.mkdir(parents=True, exist_ok=True)
        name = "".join(c if c.isalnum() else "-" for c in target.name)
        self.log = CACHE / f"log-{name}.txt"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [part.format(port=self.port) for part in target.command],
                cwd=target.folder,
                env={**os.environ, **target.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, text: str) -> float:
        """P(positive) of the text, once the server answers."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                self.stop()
                raise RuntimeError(f"{self.target.name} does not answer; the end of {self.log}:\n{tail}")
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                return self.ask(text)
            time.sleep(0.2)

    def wait_for_port(self) -> None:
        """Until it listens; no request is sent."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.01)
        raise RuntimeError(f"{self.target.name} does not listen; see {self.log}")

    def ask(self, text: str) -> float:
        [body] = self.target.render([text])
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{self.target.path}",
            body.encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=START_SECONDS) as response:  # noqa: S310
            return self.target.positive(json.load(response))

    def processes(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        processes = self.processes()
        self.thaw()
        self._process.terminate()
        _, left = psutil.wait_procs(processes, timeout=10)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if not self.target.frozen:
            return
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
