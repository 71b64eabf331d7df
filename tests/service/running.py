"""The service as users run it: `sentiment-service serve` in its own processes, asked over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

ANALYZE = "/api/v1/sentiment/analyze"
_PATIENCE_SECONDS = 30.0

T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T], patience: float = _PATIENCE_SECONDS) -> T:
    """The first true value of `condition`."""
    end = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {patience:.0f} s in vain for: {what}"
        time.sleep(0.02)
    return value


class Running:
    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self.idle_files = 0
        self.parent = psutil.Process(process.pid)
        port = wait_for("the port", lambda: [e["port"] for e in self.logs() if e["message"] == "listening"])
        # A new connection for each request, so that the workers share them.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port[0]}", timeout=20, limits=limits)

    def logs(self) -> list[dict[str, Any]]:
        lines = self._log.read_text("utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [{"message": "", **entry} for entry in entries]

    def engines(self) -> list[psutil.Process]:
        return [child for child in self.parent.children() if is_engine(child)]

    def engine(self) -> psutil.Process:
        return wait_for("an engine process", self.engines)[0]

    def workers(self) -> list[psutil.Process]:
        return [child for child in self.parent.children() if not is_engine(child)]

    def analyze(self, text: str = "好", timeout: float = 20) -> httpx.Response:
        return self.http.post(ANALYZE, json={"text": text}, timeout=timeout)

    def ready(self) -> bool:
        return self.http.get("/readyz").status_code == 200

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series of that name with these labels; 0 when there is none."""
        families = text_string_to_metric_families(self.http.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())

    def requests(self, status: int = 200) -> float:
        return self.metric("structbert_requests_total", endpoint=ANALYZE, status=str(status))

    def terminate(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_PATIENCE_SECONDS)

    def close(self) -> None:
        self.http.close()
        family = [self.parent, *self.parent.children(recursive=True)] if self.parent.is_running() else []
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()


def is_engine(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "sentiment_service.engine.child" in process.cmdline()
    return False


@contextmanager
def running(
    package: Path, folder: Path, *, module: str = "sentiment_service", **settings: Any
) -> Iterator[Running]:
    """A service on a free port; the settings are the environment's, in lower case."""
    log = folder / "service.log"
    environment = {name.upper(): str(value) for name, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "serve"],
            env={**os.environ, "HOST": "127.0.0.1", "PORT": "0", "MODEL_DIR": str(package), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    service = None
    try:
        service = Running(process, log)
        yield service
    except BaseException:
        print(log.read_text("utf-8")[-8000:])
        raise
    finally:
        if service is not None:
            service.close()
        else:
            process.kill()
            process.wait()


class Load:
    """Clients that ask one after another until told to stop; every answer's status is kept."""

    def __init__(self, service: Running, clients: int = 4) -> None:
        self.statuses: list[int] = []
        self.errors: list[str] = []
        self._service = service
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(index,)) for index in range(clients)]

    def _ask(self, index: int) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            try:
                self.statuses.append(self._service.analyze("好" * (1 + (index * 7 + count) % 25)).status_code)
            except httpx.HTTPError as error:
                self.errors.append(repr(error))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        wait_for("the first answers", lambda: len(self.statuses) >= len(self._threads))
        return self

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answered(self, status: int = 200) -> int:
        return self.statuses.count(status)

    def goes_on(self) -> None:
        """Wait until answers arrive again."""
        seen = self.answered()
        wait_for("more answers", lambda: self.answered() > seen + 5)
