"""Pods follow the load on the node, up and down; and no metric, no pod less."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from e2e.alerting import Prometheus, connected
from e2e.cluster import monitoring
from e2e.cluster.progress import console
from e2e.demo import wait_ready
from e2e.load import Outcome, load
from e2e.provider import Cluster, add_monitoring
from e2e.wait import quiet, wait_for

NAMESPACE, NAME = "scaling", "follow"
SPEC: dict[str, Any] = {
    "serving": {"warmUp": True},
    "resources": {"requests": {"cpu": "100m"}},
    "storage": {"accessMode": "ReadWriteMany", "storageClassName": "shared"},
    "autoscaling": {
        "type": "HPA",
        "minReplicas": 1,
        "maxReplicas": 3,
        "targetCPUUtilizationPercent": 0,
        "targetActiveRequestsPerPod": 8,
        "scaleDown": {"stabilizationWindowSeconds": 60},
    },
    "monitoring": {"serviceMonitor": {"interval": "5s", "scrapeTimeout": "5s"}},
}
LITTLE, MUCH = 2, 32
# Of each text: about 100 tokens, so that most of a request's time is spent at the service.
_SENTENCES = 10
_SILENT_SECONDS = 120


def follow(cluster: Cluster) -> dict[str, Any]:
    """Little load, much, a load that comes and goes, little; then the metrics go."""
    add_monitoring(cluster)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    cluster.apply(namespace, "default")
    kind = {"apiVersion": "sentiment-operator.io/v1alpha1", "kind": "SentimentService"}
    cluster.apply({**kind, "metadata": {"name": NAME}, "spec": SPEC}, NAMESPACE)
    wait_ready(cluster, NAMESPACE, NAME, quiet)
    wait_for("the HPA to have its metric", lambda: _active(cluster) == "True", 180)
    with connected(cluster) as prometheus, _watching(cluster, prometheus) as samples:
        outcomes: list[Outcome] = []
        with _load(cluster, outcomes, LITTLE):
            _hold(60)
            with _load(cluster, outcomes, MUCH):
                wait_for("three pods that answer", lambda: _pods(cluster)["readyReplicas"] == 3, 240)
                _hold(60)
            for _ in range(4):
                # Shorter than the window: no pod may go meanwhile.
                _hold(20)
                with _load(cluster, outcomes, MUCH):
                    _hold(20)
            wait_for("one pod again", lambda: samples[-1]["wanted"] == 1, 400)
    requests = [request for outcome in outcomes for request in outcome.requests]
    begin = samples[0]["at"]
    return {
        "samples": [{**one, "at": round(one["at"] - begin, 1)} for one in samples],
        "sent": len(requests),
        "failed": [str(request) for request in requests if request.wrong],
        "silent": _silent(cluster),
    }


def _silent(cluster: Cluster) -> dict[str, Any]:
    """Two pods and more, no load, and nobody who could say so: Prometheus and the adapter are gone."""
    outcomes: list[Outcome] = []
    with _load(cluster, outcomes, MUCH):
        wait_for("more pods", lambda: _pods(cluster)["readyReplicas"] >= 2, 240)
        before = _pods(cluster)["replicas"]
        for what in (
            "deployment/prometheus-operator",
            "deployment/prometheus-adapter",
            "statefulset/prometheus-main",
        ):
            cluster.kubectl("-n", monitoring.NAMESPACE, "scale", what, "--replicas=0")
        wait_for("an HPA without its metric", lambda: _active(cluster) == "False", 120)
    begin, seen = time.monotonic(), {before}
    while time.monotonic() < begin + _SILENT_SECONDS:
        seen.add(_pods(cluster)["replicas"])
        time.sleep(2)
    for what in ("deployment/prometheus-operator", "deployment/prometheus-adapter"):
        cluster.kubectl("-n", monitoring.NAMESPACE, "scale", what, "--replicas=1")
    again = time.monotonic()
    wait_for("one pod, as there is no load", lambda: _pods(cluster)["replicas"] == 1, 600)
    return {
        "before": before,
        "least": min(seen),
        "seconds": _SILENT_SECONDS,
        "failed": [one for outcome in outcomes for one in outcome.failed],
        "one_again": round(time.monotonic() - again),
    }


@contextmanager
def _load(cluster: Cluster, outcomes: list[Outcome], callers: int) -> Iterator[None]:
    with load(cluster, NAMESPACE, NAME, callers=callers, sentences=_SENTENCES) as outcome:
        outcomes.append(outcome)
        yield


@contextmanager
def _watching(cluster: Cluster, prometheus: Prometheus) -> Iterator[list[dict[str, float]]]:
    """Samples every second or two while the block runs."""
    samples, stop = list[dict[str, float]](), threading.Event()

    def watch() -> None:
        while not stop.wait(1):
            with_metric = prometheus.ask(f'sum(structbert_active_requests{{namespace="{NAMESPACE}"}})')
            active = float(with_metric[0]["value"][1]) if with_metric else 0.0
            pods = _pods(cluster)
            samples.append(
                {
                    "at": time.time(),
                    "active": active,
                    "wanted": pods["replicas"],
                    "ready": pods["readyReplicas"],
                }
            )

    thread = threading.Thread(target=watch)
    with ExitStack() as stack:
        stack.callback(thread.join)
        stack.callback(stop.set)
        thread.start()
        wait_for("a sample", lambda: samples)
        yield samples


def _hold(seconds: float) -> None:
    console.print(f"holding for {seconds:.0f} s")
    time.sleep(seconds)


def _pods(cluster: Cluster) -> dict[str, int]:
    status = cluster.get("-n", NAMESPACE, "deployment", NAME).get("status", {})
    return {key: status.get(key, 0) for key in ("replicas", "readyReplicas")}


def _active(cluster: Cluster) -> str:
    """Whether the HPA, which the operator may not have made yet, has something to scale by."""
    found = cluster.get("-n", NAMESPACE, "hpa", f"--field-selector=metadata.name={NAME}")["items"]
    conditions = [one for hpa in found for one in hpa.get("status", {}).get("conditions", ())]
    return next((one["status"] for one in conditions if one["type"] == "ScalingActive"), "")
