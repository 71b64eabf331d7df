"""Hands on the nodes: a privileged pod each, which sees all processes of its node."""

from e2e.cluster.images import PRODUCT
from e2e.provider import Cluster

NAMESPACE = "hands"
ENGINE = "sentiment_service.engine.child"
SERVER = "-m sentiment_service serve"

# Processes of a pod, by its UID and by words of their command line. cgroup drivers spell UIDs differently.
_FIND = """
import os, signal, sys, time
def find(uid, words):
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            cgroup = open(f"/proc/{name}/cgroup").read().replace("_", "-")
            line = open(f"/proc/{name}/cmdline").read().replace(chr(0), " ")
        except OSError:
            continue
        if uid in cgroup and words in line and int(name) != os.getpid():
            found.append(int(name))
    return found
"""


class Hands:
    """Runs scripts on nodes. On a cluster whose nodes are other machines their clocks must agree."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        cluster.apply(namespace, "default")
        names = [node["metadata"]["name"] for node in cluster.get("nodes")["items"]]
        for node in names:
            cluster.apply(_pod(node), NAMESPACE)
        for node in names:
            ready = ["wait", "--for=condition=Ready", f"pod/{node}", "--timeout=120s"]
            cluster.kubectl("-n", NAMESPACE, *ready)

    def run(self, node: str, script: str, *arguments: str) -> str:
        """Run a script that may use `find(uid, words)`; what it prints."""
        command = ["exec", node, "--", "/app/bin/python", "-c", _FIND + script, *arguments]
        return self._cluster.kubectl("-n", NAMESPACE, *command)


def _pod(node: str) -> dict[str, object]:
    container = {
        "name": "hand",
        "image": PRODUCT[0].short_reference,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/app/bin/python", "-c", "import signal; signal.pause()"],
        "securityContext": {"privileged": True, "runAsUser": 0},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": node},
        "spec": {
            "nodeName": node,
            "hostPID": True,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        },
    }
