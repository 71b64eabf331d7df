"""Each of the six alerts: its cause is put in, it reaches a receiver, and it clears when the cause is gone.

Thresholds come from the specs below; the windows are those of the rules, and the two days that the sixth
compares with are written into Prometheus by promtool.
"""

import json
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.paths import ROOT
from bench.reliability.backfill import openmetrics
from bench.reliability.runbooks import steps
from e2e.alerting import Prometheus, arrived, connected, receiver
from e2e.cluster import monitoring
from e2e.cluster.debian import unpacked
from e2e.cluster.errors import ClusterError
from e2e.cluster.progress import console
from e2e.demo import wait_ready
from e2e.load import load
from e2e.provider import Cluster, add_monitoring
from e2e.wait import quiet, wait_for

RUNBOOKS = ROOT / "docs/runbooks.md"
NAMESPACE = "alerts"
CALLERS = 16
_PREFIX = "SentimentService"
_RETENTION = "15d"
SERVICES: dict[str, dict[str, Any]] = {
    "busy": {
        "autoscaling": {"type": "HPA", "minReplicas": 1, "maxReplicas": 1},
        "serving": {"idleUnloadSeconds": 30},
        "resources": {"limits": {"cpu": "300m"}, "requests": {"cpu": "100m"}},
        "thresholds": {"p95LatencyMilliseconds": 50, "memory": "80M", "cpuPercent": 20},
    },
    # The image has no torch.
    "failing": {"serving": {"warmUp": True, "engine": "torch"}, "thresholds": {}},
    "quiet": {
        "access": {"networkPolicy": {"allowFrom": [{"name": "all", "namespaceLabels": {}}]}},
        "thresholds": {},
    },
    "broken": {
        "serving": {"warmUp": True},
        "rollout": {"type": "ResourceAware"},
        "thresholds": {"unavailableFor": "5s"},
    },
}
# Of which service, by what, and ended by what.
CAUSES = {
    "Unavailable": ("broken", "a version whose model can't be loaded", "the version before"),
    "Slow": ("busy", f"{CALLERS} callers, 0.3 cores, `p95LatencyMilliseconds: 50`", "no callers"),
    "MemoryHigh": ("busy", "the model is loaded, `memory: 80M`", "no callers, the model is unloaded"),
    "CPUHigh": ("busy", f"{CALLERS} callers, 0.3 cores, `cpuPercent: 20`", "no callers"),
    "Failing": ("failing", "a caller of a pod whose model can't be loaded", "no caller"),
    "TrafficDropped": ("quiet", "1440 requests a day until yesterday, then none", "3000 requests"),
}


def prove(cluster: Cluster) -> dict[str, Any]:
    """When each alert and its end arrived, in seconds after the cause and after the cause's end."""
    add_monitoring(cluster)
    _make_room(cluster)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    cluster.apply(namespace, "default")
    receiver(cluster, NAMESPACE)
    with connected(cluster) as prometheus:
        watch = _Watch(cluster, prometheus)
        watch.begins("TrafficDropped")
        _drop(cluster, prometheus)
        for name in SERVICES:
            _apply(cluster, name)
        for name in SERVICES.keys() - {"failing"}:
            wait_ready(cluster, NAMESPACE, name, quiet)
        wait_for("targets that are up", prometheus.targets_up(NAMESPACE), 120)
        # Not by the Service, which has no ready pod to send it to.
        pod = _address(cluster, "failing")
        watch.begins("MemoryHigh", "Slow", "CPUHigh", "Failing")
        with load(cluster, NAMESPACE, "busy", callers=CALLERS), load(cluster, NAMESPACE, pod, callers=1):
            watch.begins("Unavailable")
            _apply(cluster, "broken", engine="torch")
            watch.fires("Unavailable")
            _apply(cluster, "broken")
            watch.ends("Unavailable")
            watch.fires("MemoryHigh", "Slow", "CPUHigh", "Failing")
        watch.ends("MemoryHigh", "Slow", "CPUHigh", "Failing")
        watch.fires("TrafficDropped")
        with load(cluster, NAMESPACE, "quiet", callers=4) as asked:
            wait_for("requests enough", lambda: asked.sent > 3000, 300)
        watch.ends("TrafficDropped")
        watch.clears(*CAUSES)
    return {"alerts": watch.seen}


class _Watch:
    """Which cause was put in when, and what reached the receiver after it."""

    def __init__(self, cluster: Cluster, prometheus: Prometheus) -> None:
        self.seen: dict[str, dict[str, Any]] = {name: {} for name in CAUSES}
        self._cluster = cluster
        self._prometheus = prometheus
        self._begun: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def begins(self, *alerts: str) -> None:
        """Now; nothing of an alert may be left from before."""
        for alert in alerts:
            labels = f'alertname="{_PREFIX}{alert}",sentimentservice="{CAUSES[alert][0]}"'
            wait_for(f"no {alert}", partial(self._silent, f"ALERTS{{{labels}}}"), 180)
        self._begun |= dict.fromkeys(alerts, time.time())

    def ends(self, *alerts: str) -> None:
        self._ended |= dict.fromkeys(alerts, time.time())

    def fires(self, *alerts: str) -> None:
        self._arrive("firing", self._begun, alerts)
        for alert in alerts:
            self._try_steps(alert)

    def clears(self, *alerts: str) -> None:
        self._arrive("resolved", self._ended, alerts)

    def _arrive(self, status: str, since: dict[str, float], alerts: tuple[str, ...]) -> None:
        for alert in alerts:
            if status in self.seen[alert]:
                continue
            found = wait_for(f"{alert} {status}", self._look(alert, status), 1800)
            assert isinstance(found, datetime)
            self.seen[alert][status] = round(found.timestamp() - since[alert])
            console.print(f"{alert} {status} after {self.seen[alert][status]} s")

    def _silent(self, query: str) -> bool:
        return not self._prometheus.ask(query)

    def _try_steps(self, alert: str) -> None:
        """Whatever the runbook tells to run says something."""
        told = steps(RUNBOOKS.read_text("utf-8"), _PREFIX + alert, NAMESPACE, CAUSES[alert][0])
        in_vain = [query for query in told.queries if not self._prometheus.ask(query)]
        for command in told.commands:
            try:
                said = self._cluster.kubectl(*shlex.split(command)[1:])
            except ClusterError:
                said = ""
            if not said:
                in_vain.append(command)
        self.seen[alert] |= {"steps": len(told.commands) + len(told.queries), "in_vain": in_vain}

    def _look(self, alert: str, status: str) -> Callable[[], datetime | None]:
        def probe() -> datetime | None:
            wanted = (_PREFIX + alert, CAUSES[alert][0], status)
            times = [
                time
                for time, one in arrived(self._cluster, NAMESPACE)
                if (one["labels"]["alertname"], one["labels"]["sentimentservice"], one["status"]) == wanted
            ]
            return min(times, default=None)

        return probe


def _apply(cluster: Cluster, name: str, **serving: Any) -> None:
    given = SERVICES[name]
    monitors = {
        "serviceMonitor": {"interval": "5s", "scrapeTimeout": "5s"},
        "prometheusRule": {"thresholds": given["thresholds"]},
    }
    rest = {part: fields for part, fields in given.items() if part != "thresholds"}
    kind = {"apiVersion": "sentiment-operator.io/v1alpha1", "kind": "SentimentService"}
    spec = {**rest, "monitoring": monitors, "serving": given.get("serving", {}) | serving}
    cluster.apply({**kind, "metadata": {"name": name}, "spec": spec}, NAMESPACE)


def _address(cluster: Cluster, name: str) -> str:
    """The address of the service's only pod."""
    chosen = f"app.kubernetes.io/instance={name}"

    def started() -> str:
        pods = cluster.get("-n", NAMESPACE, "pods", "-l", chosen)["items"]
        running = [
            one for pod in pods for one in pod["status"].get("containerStatuses", ()) if one.get("started")
        ]
        return str(pods[0]["status"]["podIP"]) if running else ""

    return str(wait_for(f"a pod of {name}", started))


def _make_room(cluster: Cluster) -> None:
    """Let Prometheus keep days, and give it a second container, through which files come into its folder."""
    container = {
        "name": "past",
        "image": "sentiment-operator/base:1",
        "imagePullPolicy": "IfNotPresent",
        # The first process of a container ends by no signal that it does not wait for.
        "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"],
        "volumeMounts": [{"name": "prometheus-main-db", "mountPath": "/prometheus"}],
    }
    patch = {"spec": {"retention": _RETENTION, "containers": [container]}}
    where = ["-n", monitoring.NAMESPACE]
    cluster.kubectl(*where, "patch", "prometheus", "main", "--type=merge", f"--patch={json.dumps(patch)}")

    def there() -> bool:
        every = cluster.get(*where, "pods", "-l", "prometheus=main")["items"]
        pods = [pod for pod in every if f"retention.time={_RETENTION}" in json.dumps(pod["spec"])]
        told = [one for pod in pods for one in pod["status"].get("containerStatuses", ())]
        return {"past", "prometheus"} <= {one["name"] for one in told if one["ready"]}

    wait_for("the second container", there, 180)


def _drop(cluster: Cluster, prometheus: Prometheus) -> None:
    """Days with a request a minute, up to a day ago."""
    now = int(time.time())
    pod = "quiet-7d9f4b5c6-x2x9k"
    labels = {"namespace": NAMESPACE, "pod": pod, "endpoint": "/a", "status": "200"}
    text = openmetrics("structbert_requests", labels, now - 74 * 3600, now - 24 * 3600, 60)
    with tempfile.TemporaryDirectory() as folder:
        past = Path(folder) / "past"
        source = Path(folder) / "past.txt"
        source.write_text(text)
        promtool = str(unpacked("prometheus") / "promtool")
        blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(source), str(past)]
        subprocess.run(blocks, check=True, capture_output=True)
        into = f"{monitoring.NAMESPACE}/prometheus-main-0:/prometheus/new"
        cluster.kubectl("cp", str(past), into, "-c", "past")
    # Whole at once: Prometheus takes up a folder when it sees one.
    move = ["sh", "-c", "chmod -R a+rwX /prometheus/new && mv /prometheus/new/* /prometheus/"]
    cluster.kubectl("-n", monitoring.NAMESPACE, "exec", "prometheus-main-0", "-c", "past", "--", *move)
    counted = f'increase(structbert_requests_total{{pod="{pod}"}}[1d] offset 1d)'

    def taken() -> bool:
        return any(float(one["value"][1]) > 1000 for one in prometheus.ask(counted))

    wait_for("the days before in Prometheus", taken, 180)
