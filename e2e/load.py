"""Steady requests from a pod inside the cluster, and what became of them."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .ask import client_pod
from .provider import Cluster
from .wait import wait_for

# A new connection for each request, so that each one takes the Service's routes of that moment.
_SCRIPT = """
import http.client, json, sys, threading, time
host, port, callers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
body = json.dumps({"text": "服务态度很好，解决问题很快"}).encode()
stop, sent, failed = threading.Event(), [0] * callers, []
def call(me):
    while not stop.is_set():
        begin = time.time()
        try:
            link = http.client.HTTPConnection(host, port, timeout=30)
            link.request("POST", "/api/v1/sentiment/analyze", body, {"Content-Type": "application/json"})
            answer = link.getresponse()
            said = answer.read()
            if answer.status != 200 or json.loads(said)["data"]["english_label"] != "Positive":
                failed.append(f"{begin:.2f}: {answer.status} {said[:200]!r}")
            link.close()
        except Exception as error:
            failed.append(f"{begin:.2f}: {time.time() - begin:.2f} s, {error!r}")
        sent[me] += 1
        if me == 0 and sent[0] == 1:
            print("under way", flush=True)
        stop.wait(0.02)
threads = [threading.Thread(target=call, args=(me,)) for me in range(callers)]
for thread in threads: thread.start()
sys.stdin.read()
stop.set()
for thread in threads: thread.join()
print(json.dumps({"sent": sum(sent), "failed": failed}))
"""


@dataclass
class Outcome:
    """Filled in when the load has ended."""

    sent: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def load(
    cluster: Cluster, namespace: str, service: str, node: str | None = None, callers: int = 4
) -> Iterator[Outcome]:
    """Requests from `callers` threads for as long as the block runs; the service must answer already."""
    client_pod(cluster, namespace, node)
    command = [*cluster.kubectl_start, "-n", namespace, "exec", "-i", "client", "--"]
    script = ["/app/bin/python", "-c", _SCRIPT, f"{service}.{namespace}.svc", "7860", str(callers)]
    outcome = Outcome()
    with subprocess.Popen(
        [*command, *script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        wait_for("the first answer", process.stdout.readline)
        try:
            yield outcome
        finally:
            said, _ = process.communicate(timeout=60)
            found = json.loads(said)
            outcome.sent, outcome.failed = found["sent"], found["failed"]
