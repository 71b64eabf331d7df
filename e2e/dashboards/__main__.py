"""`make dashboards`: pictures of both dashboards for the documentation, from a real cluster under load.

Two services: one that does well and loses a pod on the way, and one whose queue is too short for its callers.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from ..alerting import Prometheus, connected
from ..cluster.errors import ClusterError
from ..cluster.paths import REPO, ClusterPaths
from ..cluster.progress import console, step
from ..demo import OPERATOR_NAMESPACE, install_operator, wait_ready
from ..load import load
from ..provider import CHART, Cluster, add_monitoring, close_cluster, image_values, open_cluster
from ..wait import wait_for
from . import picture

_IMAGES = REPO / "docs" / "images"
_MONITORING = {
    "serviceMonitor": {"interval": "5s", "scrapeTimeout": "5s"},
    "prometheusRule": {},
    "dashboard": {},
}
# Namespace, name → spec.
_SERVICES: dict[tuple[str, str], dict[str, Any]] = {
    ("shop", "reviews"): {"replicas": 2, "serving": {"warmUp": True}},
    ("press", "headlines"): {"serving": {"warmUp": True, "maxBatchItems": 4, "queueLimit": 4}},
}
_MOST_BYTES = 400_000


def main() -> int:
    """Write both pictures; an error a user can mend is one sentence."""
    parser = argparse.ArgumentParser(prog="python -m e2e.dashboards", description=__doc__)
    parser.add_argument("--name", default="dev", help="which cluster (dev); ended when it did not run before")
    parser.add_argument("--minutes", type=float, default=12, help="how long the load lasts (12)")
    arguments = parser.parse_args()
    was_there = ClusterPaths(arguments.name).root.exists()
    try:
        picture.build()
        cluster = open_cluster(arguments.name)
        _draw(cluster, timedelta(minutes=arguments.minutes))
    except ClusterError as error:
        console.print(f"[red]error:[/red] {error}", markup=True)
        return 1
    finally:
        if not was_there:
            close_cluster(arguments.name)
    return 0


def _draw(cluster: Cluster, lasting: timedelta) -> None:
    _install(cluster)
    begin = datetime.now(UTC)
    with _services(cluster), connected(cluster) as prometheus:
        for namespace in (*(namespace for namespace, _ in _SERVICES), OPERATOR_NAMESPACE):
            wait_for(f"targets of {namespace} that are up", prometheus.targets_up(namespace), 180)
        with step(f"asking for {lasting.total_seconds() / 60:.0f} minutes"):
            _ask(cluster, lasting)
        for where, name, to in (
            ("shop", "reviews", "service"),
            (OPERATOR_NAMESPACE, "sentiment-operator", "fleet"),
        ):
            _picture(cluster, prometheus, (where, f"{name}-dashboard"), begin, to)


def _install(cluster: Cluster) -> None:
    """The operator, its metrics and its dashboard, and a Prometheus."""
    install_operator(cluster)
    add_monitoring(cluster)
    chart = [str(CHART), f"--namespace={OPERATOR_NAMESPACE}", *image_values()]
    wanted = [f"--set=metrics.{part}.enabled=true" for part in ("serviceMonitor", "dashboard")]
    cluster.helm("upgrade", "sentiment-operator", *chart, *wanted, "--wait")


@contextmanager
def _services(cluster: Cluster) -> Iterator[None]:
    try:
        for (namespace, name), spec in _SERVICES.items():
            cluster.kubectl("create", "namespace", namespace)
            service = {
                "apiVersion": "sentiment-operator.io/v1alpha1",
                "kind": "SentimentService",
                "metadata": {"name": name},
                "spec": {**spec, "monitoring": _MONITORING},
            }
            cluster.apply(service, namespace)
        for namespace, name in _SERVICES:
            with step(f"waiting for {namespace}/{name}") as update:
                wait_ready(cluster, namespace, name, update, 600)
        yield
    finally:
        for namespace, _ in _SERVICES:
            cluster.kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")


def _ask(cluster: Cluster, lasting: timedelta) -> None:
    """A steady load with some empty texts, more of it in the middle, and a pod that goes."""
    third = lasting.total_seconds() / 3
    with (
        load(cluster, "shop", "reviews", callers=2, pause=0.2, sentences=4),
        load(cluster, "shop", "reviews", callers=1, pause=2, sentences=0),
        load(cluster, "press", "headlines", callers=1, pause=0.5, sentences=4),
    ):
        time.sleep(third)
        with (
            load(cluster, "shop", "reviews", callers=4, pause=0.1, sentences=4),
            load(cluster, "press", "headlines", callers=12, pause=0.2, sentences=30),
        ):
            pods = cluster.kubectl(
                "-n", "shop", "get", "pods", "-l", "app.kubernetes.io/instance=reviews", "-o", "name"
            )
            cluster.kubectl("-n", "shop", "delete", "--wait=false", pods.split()[0])
            time.sleep(third)
        time.sleep(third)


def _picture(
    cluster: Cluster, prometheus: Prometheus, config_map: tuple[str, str], begin: datetime, to: str
) -> None:
    """Of the time since `begin`, from the dashboard as it lies in the cluster."""
    namespace, name = config_map
    [text] = cluster.get("-n", namespace, "configmap", name)["data"].values()
    shown = {"from": begin.isoformat(), "to": datetime.now(UTC).isoformat()}
    file = _IMAGES / f"dashboard-{to}.png"
    with step(f"drawing {file.name}"):
        picture.take({**json.loads(text), "time": shown}, prometheus, file)
    assert file.stat().st_size < _MOST_BYTES


if __name__ == "__main__":
    sys.exit(main())
