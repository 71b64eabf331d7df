"""A Prometheus in the cluster, and where its alerts arrive."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from .ask import LOCKED_CONTAINER, LOCKED_POD
from .browsing import port_forward
from .cluster import monitoring
from .provider import Cluster

# Says on its standard output what Alertmanager sends.
_RECEIVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""


@dataclass
class Prometheus:
    """Its HTTP API."""

    http: httpx.Client

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        answer = self.http.get("/api/v1/query", params={"query": expression})
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def exemplars(self, expression: str) -> list[dict[str, str]]:
        """The labels of the exemplars of a minute, of the series in an expression."""
        now = time.time()
        span: dict[str, str | float] = {"query": expression, "start": now - 60, "end": now}
        answer = self.http.get("/api/v1/query_exemplars", params=span)
        answer.raise_for_status()
        return [one["labels"] for series in answer.json()["data"] for one in series["exemplars"]]

    def evaluated(self, namespace: str, alert: str) -> float:
        """When the alert of a namespace's service was evaluated last, in seconds of the epoch; else 0."""
        chosen = {"type": "alert", "rule_name[]": f"SentimentService{alert}"}
        answer = self.http.get("/api/v1/rules", params=chosen)
        answer.raise_for_status()
        rules = [rule for group in answer.json()["data"]["groups"] for rule in group["rules"]]
        times = [one["lastEvaluation"] for one in rules if one["labels"]["namespace"] == namespace]
        return max((datetime.fromisoformat(one).timestamp() for one in times), default=0)

    def targets_up(self, namespace: str) -> Callable[[], bool]:
        """Whether there are targets in the namespace, all scraped."""

        def probe() -> bool:
            active = self.http.get("/api/v1/targets", params={"state": "active"}).json()["data"][
                "activeTargets"
            ]
            ours = [target["health"] for target in active if target["labels"].get("namespace") == namespace]
            return bool(ours) and set(ours) == {"up"}

        return probe


@contextmanager
def connected(cluster: Cluster) -> Iterator[Prometheus]:
    """The Prometheus of a cluster that was given one."""
    with (
        port_forward(cluster, monitoring.NAMESPACE, "prometheus", 9090) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        yield Prometheus(http)


def receiver(cluster: Cluster, namespace: str) -> None:
    """Start a receiver to which Alertmanager sends the alerts of the namespace."""
    labels = {"app": "receiver"}
    container = {
        "name": "receiver",
        "image": "sentiment-operator/base:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-u", "-c", _RECEIVER],
        "securityContext": LOCKED_CONTAINER,
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": LOCKED_POD,
        "containers": [container],
    }
    meta = {"name": "receiver", "labels": labels}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod}, namespace)
    cluster.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "receiver"},
         "spec": {"selector": labels, "ports": [{"port": 8080}]}},
        namespace,
    )  # fmt: skip
    route = {"receiver": "hook", "groupWait": "1s", "groupInterval": "5s", "repeatInterval": "1h"}
    hook = {
        "name": "hook",
        "webhookConfigs": [{"url": f"http://receiver.{namespace}.svc:8080/", "sendResolved": True}],
    }
    cluster.apply(
        {"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "AlertmanagerConfig",
         "metadata": {"name": "to-receiver"}, "spec": {"route": route, "receivers": [hook]}},
        namespace,
    )  # fmt: skip
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/receiver", "--timeout=60s")


def arrived(cluster: Cluster, namespace: str) -> list[tuple[datetime, dict[str, Any]]]:
    """The alerts that reached the receiver, each with the time at which it was told."""
    told = []
    for line in cluster.kubectl("-n", namespace, "logs", "receiver", "--timestamps").splitlines():
        time, _, text = line.partition(" ")
        if text.startswith("{"):
            told += [(datetime.fromisoformat(time), alert) for alert in json.loads(text)["alerts"]]
    return told
