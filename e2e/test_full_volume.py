"""A model that does not fit into its volume says so: a real file system of 4 MB, filled by a real Job."""

from collections.abc import Iterator
from typing import Any

import pytest

from .cluster.images import PRODUCT
from .provider import Cluster
from .wait import wait_for

pytestmark = pytest.mark.e2e

# Below the one folder that every kubelet shares with the mounts of its pods.
PLACE = "/var/lib/kubelet/sentiment-full"
_MARK = "/tmp/mounted"  # noqa: S108  in the pod
_MOUNT = f"""
import ctypes, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})  # else the kernel spares process 1 the signal
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"tmpfs", b"{PLACE}", b"tmpfs", 0, b"size=4m,mode=1777"):
    raise OSError(ctypes.get_errno(), "mount")
open("{_MARK}", "w").close()
signal.sigwait({{signal.SIGTERM}})
libc.umount2(b"{PLACE}", 2)
"""


@pytest.fixture
def small_volume(cluster: Cluster) -> Iterator[str]:
    """The storage class of a volume on a small file system, which a privileged pod mounts on a node."""
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    container = {
        "name": "mount",
        "image": PRODUCT[0].short_reference,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/app/bin/python", "-c", _MOUNT],
        "securityContext": {"privileged": True, "runAsUser": 0},
        "readinessProbe": {
            "exec": {"command": ["/app/bin/python", "-c", f"open('{_MARK}')"]},
            "periodSeconds": 1,
        },
        "volumeMounts": [{"name": "host", "mountPath": PLACE, "mountPropagation": "Bidirectional"}],
    }
    host = {"name": "host", "hostPath": {"path": PLACE, "type": "DirectoryOrCreate"}}
    spec = {"nodeName": node, "containers": [container], "volumes": [host]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "small-volume"}, "spec": spec}
    cluster.apply(pod, "kube-system")
    cluster.kubectl("-n", "kube-system", "wait", "--for=condition=Ready", "pod/small-volume", "--timeout=60s")
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    volume: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "small-volume"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "small-volume",
            "hostPath": {"path": PLACE},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
    cluster.apply(volume, "default")
    yield "small-volume"
    cluster.kubectl("delete", "persistentvolume", "small-volume", "--wait=false")
    cluster.kubectl("-n", "kube-system", "delete", "pod", "small-volume")


def model(cluster: Cluster, namespace: str, **spec: Any) -> None:
    made = {"apiVersion": "sentiment-operator.io/v1alpha1", "kind": "SentimentModel", "spec": spec}
    cluster.apply({**made, "metadata": {"name": "m"}}, namespace)


def ready(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """The model's condition."""
    told = cluster.get("-n", namespace, "sentimentmodel", "m").get("status", {}).get("conditions", ())
    return next((one for one in told if one["type"] == "Ready"), {})


def test_a_full_volume_is_named_with_its_remedy(cluster: Cluster, namespace: str, small_volume: str) -> None:
    storage = {"size": "1Gi", "storageClassName": small_volume}
    model(cluster, namespace, source={"bundled": {}}, storage=storage)
    wait_for("a full volume", lambda: ready(cluster, namespace).get("reason") == "StorageFull")
    assert "Raise spec.storage.size" in ready(cluster, namespace)["message"]
