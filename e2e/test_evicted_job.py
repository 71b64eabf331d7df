"""The kubelet ends a preparation that takes more of the node's disk than it may; another pod goes on."""

from typing import Any

import pytest

from .ask import LOCKED_CONTAINER, LOCKED_POD
from .cluster.images import PRODUCT
from .provider import Cluster
from .wait import wait_for

pytestmark = pytest.mark.e2e

API = "sentiment-operator.io/v1alpha1"
RESOURCES = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "1Gi", "ephemeral-storage": "20Mi"},
}
# The lock that a preparation holds: whoever comes next waits for it.
_HOLD = """
import fcntl, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
lock = open("/models/.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
open("/tmp/held", "w").close()
signal.sigwait({signal.SIGTERM})
"""


def model(cluster: Cluster, namespace: str, **spec: Any) -> None:
    given = {"source": {"bundled": {}}, "storage": {"size": "200Mi"}, "job": {"resources": RESOURCES}, **spec}
    made = {"apiVersion": API, "kind": "SentimentModel", "metadata": {"name": "m"}, "spec": given}
    cluster.apply(made, namespace)


def ready(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """The condition, of the newest spec; empty before."""
    found = cluster.get("-n", namespace, "sentimentmodel", "m")
    told = found.get("status", {})
    if told.get("observedGeneration") != found["metadata"]["generation"]:
        return {}
    return next((one for one in told["conditions"] if one["type"] == "Ready"), {})


def hold(cluster: Cluster, namespace: str) -> None:
    """A pod that holds the lock of the model's volume until it is deleted."""
    container = {
        "name": "hold",
        "image": PRODUCT[0].short_reference,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/app/bin/python", "-c", _HOLD],
        "securityContext": LOCKED_CONTAINER,
        "readinessProbe": {
            "exec": {"command": ["/app/bin/python", "-c", "open('/tmp/held')"]},
            "periodSeconds": 1,
        },
        "volumeMounts": [{"name": "models", "mountPath": "/models"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    claim = {"name": "models", "persistentVolumeClaim": {"claimName": "m-model"}}
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": {**LOCKED_POD, "fsGroup": 1000},
        "containers": [container],
        "volumes": [claim, {"name": "tmp", "emptyDir": {}}],
    }
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hold"}, "spec": spec}, namespace)
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/hold", "--timeout=60s")


def test_an_evicted_preparation_is_told_and_goes_on(cluster: Cluster, namespace: str) -> None:
    model(cluster, namespace)
    wait_for("package", lambda: ready(cluster, namespace).get("reason") == "Prepared", 120)
    hold(cluster, namespace)
    model(cluster, namespace, precision="bf16")
    wait_for("another Job", lambda: ready(cluster, namespace).get("reason") == "Preparing")
    job = cluster.get("-n", namespace, "sentimentmodel", "m")["status"]["job"]

    def running() -> list[str]:
        pods = cluster.get("-n", namespace, "pods", "-l", f"job-name={job}")["items"]
        return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]

    wait_for("its pod", running)
    [first] = running()
    fill = "open('/tmp/full', 'wb').write(bytes(40 << 20))"
    cluster.kubectl("-n", namespace, "exec", first, "-c", "prepare", "--", "/app/bin/python", "-c", fill)

    wait_for("another pod", lambda: set(running()) - {first}, 120)

    def goes_on() -> bool:
        found = ready(cluster, namespace)  # `Retrying` until the new pod is seen
        return found["reason"] == "Preparing" and "Evicted: " in found["message"]

    wait_for("the cause, while it goes on", goes_on)
    told = ready(cluster, namespace)["message"]
    assert "ephemeral local storage usage exceeds the total limit of containers 20Mi" in told
    assert "spec.job.resources.limits" in told
    cluster.kubectl("-n", namespace, "delete", "pod", "hold")
    wait_for("package", lambda: ready(cluster, namespace).get("reason") == "Prepared", 90)
