"""Asks a service over its DNS name, from a pod inside the cluster."""

import json
from collections.abc import Mapping
from typing import Any

from .cluster.images import PRODUCT
from .provider import Cluster

_SCRIPT = """
import json, sys, urllib.request
for text in json.load(sys.stdin):
    request = urllib.request.Request(
        sys.argv[1] + "/api/v1/sentiment/analyze",
        json.dumps({"text": text}).encode(),
        {"Content-Type": "application/json", **json.loads(sys.argv[2])},
    )
    print(urllib.request.urlopen(request, timeout=30).read().decode(), flush=True)
"""


# What the restricted Pod Security Standard asks for, and a read-only root.
LOCKED_POD = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
LOCKED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def client_pod(cluster: Cluster, namespace: str, node: str | None = None) -> None:
    """Start a pod to ask from (the service's image has a Python), or find it running; on `node` if given."""
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client", "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": LOCKED_POD,
            "containers": [
                {
                    "name": "client",
                    "image": PRODUCT[0].short_reference,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/app/bin/python", "-c", "import signal; signal.pause()"],
                    "securityContext": LOCKED_CONTAINER,
                }
            ],
        },
    }
    if node:
        pod["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(pod))
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/client", "--timeout=120s")


def run_python(cluster: Cluster, namespace: str, script: str, *arguments: str, stdin: str = "") -> str:
    """Run a script in the client pod and return its standard output."""
    command = ["/app/bin/python", "-c", script, *arguments]
    return cluster.kubectl("-n", namespace, "exec", "-i", "client", "--", *command, stdin=stdin)


def ask(
    cluster: Cluster, namespace: str, url: str, texts: list[str], headers: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The service's answer to each text, as the API gives it."""
    client_pod(cluster, namespace)
    told = json.dumps(dict(headers or {}))
    lines = run_python(cluster, namespace, _SCRIPT, url, told, stdin=json.dumps(texts)).splitlines()
    return [json.loads(line) for line in lines]
