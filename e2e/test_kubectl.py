"""`kubectl sentiment` with pods that answer."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .provider import Cluster
from .test_slice import apply_sample
from .wait import wait_for

pytestmark = pytest.mark.e2e


def test_the_plugin_shows_and_asks_a_service(cluster: Cluster, namespace: str) -> None:
    apply_sample(cluster, namespace)
    # kubectl finds the plugin in PATH, and the plugin kubectl.
    kubectl, *flags = cluster.kubectl_start
    path = os.pathsep.join((str(Path(sys.executable).parent), str(Path(kubectl).parent), os.environ["PATH"]))

    def sentiment(*arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["kubectl", "sentiment", *arguments, "-n", namespace, *flags],
            env=os.environ | {"PATH": path},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    lines = sentiment("analyze", "reviews", "物流速度太慢了，等了一周才到", "价格实惠，性价比高").splitlines()
    assert [line.split()[0] for line in lines] == ["消极", "积极"]
    assert sentiment("analyze", "reviews", stdin="客服完全不理人，差评\n").startswith("消极")

    status = sentiment("status", "reviews")
    assert "✓ ready" in status
    assert re.search(r"^requests +[1-9]\d* since the pods started", status, re.M)
    assert re.search(r"^reviews-\S+ +1/1 ", status, re.M)
    assert "✓ ready" in sentiment("explain", "reviews")

    measured = sentiment("bench", "reviews", "--seconds", "1", "--callers", "2")
    assert re.search(r"^[1-9]\d* answers/s through the API server: median \d+ ms", measured)
    assert "of which inside the service: " in measured

    # metrics-server needs a while before it knows a new pod.
    selected = ["-n", namespace, "pods.metrics.k8s.io", "-l", "app.kubernetes.io/instance=reviews"]
    wait_for("what the pod uses", lambda: cluster.get(*selected)["items"], 90)
    top = sentiment("top", "reviews", "--seconds", "1")
    assert re.search(r"^reviews-\S+ +\d+m +\d+ MB +[\d.]+ +[\d.]+ ", top, re.M)
    logs = sentiment("logs", "reviews", "--tail", "1000")
    assert re.search(
        r"^\[pod/reviews-\S+\] \d\d:\d\d:\d\d\.\d{3} INFO    request .*sentiment=消极", logs, re.M
    )
    assert '"sentiment": "消极"' in sentiment("logs", "reviews", "--raw", "--tail", "1000")
