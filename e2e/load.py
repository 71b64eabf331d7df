"""Steady requests from inside a cluster or another network, and what became of them."""

import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from .ask import client_pod
from .provider import Cluster
from .wait import wait_for

# A new connection for each request, so that each one takes the Service's routes of that moment.
_SCRIPT = """
import http.client, itertools, json, sys, threading, time
host, port, callers, pause, method = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4]), sys.argv[5]
sentences, numbers = int(sys.argv[6]), itertools.count()
path = "/api/v1/sentiment/analyze" if method == "POST" else "/health"
stop, saying = threading.Event(), threading.Lock()
def text():
    number = str(next(numbers)) if sentences > 1 else ""
    return number + "服务态度很好，解决问题很快。" * sentences
def one(begin):
    body = json.dumps({"text": text()}).encode() if method == "POST" else None
    try:
        link = http.client.HTTPConnection(host, port, timeout=30)
        link.request(method, path, body, {"Content-Type": "application/json"})
        answer = link.getresponse()
        said = answer.read()
        link.close()
        if answer.status == 200 and (not body or json.loads(said)["data"]["english_label"] == "Positive"):
            return ""
        return f"{answer.status} {said[:200]!r}"
    except Exception as error:
        return repr(error)
def call():
    while not stop.is_set():
        begin = time.time()
        wrong = one(begin)
        line = json.dumps([begin, time.time(), wrong])
        with saying:
            print(line, flush=True)
        stop.wait(pause)
threads = [threading.Thread(target=call) for _ in range(callers)]
for thread in threads: thread.start()
sys.stdin.read()
stop.set()
for thread in threads: thread.join()
"""


class Request(NamedTuple):
    """When it began and ended, in seconds of the epoch, and what was wrong with the answer."""

    begin: float
    end: float
    wrong: str

    def __str__(self) -> str:
        return f"{self.begin:.2f}, {self.end - self.begin:.2f} s: {self.wrong or 'right'}"


@dataclass
class Outcome:
    """Grows while requests are answered."""

    requests: list[Request] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.requests)

    @property
    def failed(self) -> list[str]:
        return [str(request) for request in self.requests if request.wrong]


@contextmanager
def load(
    cluster: Cluster,
    namespace: str,
    host: str,
    node: str | None = None,
    callers: int = 4,
    pause: float = 0.02,
    sentences: int = 1,
) -> Iterator[Outcome]:
    """Requests from `callers` threads for as long as the block runs; the service must answer already.

    `host`: as pods of the namespace call it: the service's name, or an address. `pause`: seconds from an
    answer to the next request of the same caller. `sentences`: of each text; with more than one no text is
    like another, so that each is worked on.
    """
    client_pod(cluster, namespace, node)
    pod = [*cluster.kubectl_start, "-n", namespace, "exec", "-i", "client", "--", "/app/bin/python"]
    with asking(pod, host, 7860, callers=callers, pause=pause, sentences=sentences) as outcome:
        yield outcome


@contextmanager
def asking(
    python: Sequence[str],
    host: str,
    port: int,
    *,
    callers: int,
    pause: float,
    method: str = "POST",
    sentences: int = 1,
) -> Iterator[Outcome]:
    """The same by a Python that is started so; texts to judge with POST, the service's health with GET."""
    script = ["-c", _SCRIPT, host, str(port), str(callers), str(pause), method, str(sentences)]
    outcome = Outcome()
    with subprocess.Popen(
        [*python, *script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        reader = threading.Thread(target=_read, args=(process.stdout, outcome.requests))
        reader.start()
        try:
            wait_for("the first answer", lambda: outcome.requests)
            yield outcome
        finally:
            process.stdin.close()
            reader.join(60)
            process.wait(60)
    assert process.returncode == 0, "the load broke off"


def _read(lines: Iterator[str], requests: list[Request]) -> None:
    requests += (Request(*json.loads(line)) for line in lines)
