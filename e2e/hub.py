"""The test hub (tests/models/hub_server.py) in a pod: real downloads, counted at the server."""

import json
from pathlib import Path
from typing import Any

from .ask import LOCKED_CONTAINER, LOCKED_POD, run_python
from .cluster.images import PRODUCT
from .cluster.paths import REPO
from .provider import Cluster

PORT = 8000
_SCRIPT = """
import io, sys, tarfile, threading
sys.path.insert(0, "/hub")
from hub_server import Fault, read_folder, serve
from pathlib import Path
import sentiment_service
bundled = Path(sentiment_service.__file__).parent / "bundled"
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    for path in sorted(bundled.iterdir()):
        tar.add(path, path.name)
content = archive.getvalue()
with serve("0.0.0.0", 8000) as hub:
    hub.files["/m.tar"] = content
    for name in sys.argv[1:]:
        hub.repositories[name] = read_folder(Path("/repository"))
    # The first download stands still until its pod is ended.
    hub.faults.append(Fault(end_after=len(content) // 2, silence=True))
    while True:
        requests = sum(path != "/sent" for _, path, _ in list(hub.log))
        hub.files["/sent"] = f"{hub.sent} {len(content)} {requests}".encode()
        threading.Event().wait(0.1)
"""


def start_hub(cluster: Cluster, namespace: str, repository: str = "", files: Path | None = None) -> str:
    """Serve the bundled package as /m.tar, and a repository (files: a folder of this machine); the URL."""
    labels = {"app": "hub"}
    source = (REPO / "tests/models/hub_server.py").read_text()
    container: dict[str, Any] = {
        "name": "hub",
        "image": PRODUCT[0].short_reference,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/app/bin/python", "-c", _SCRIPT, *([repository] if files else [])],
        "securityContext": LOCKED_CONTAINER,
        "volumeMounts": [{"name": "hub", "mountPath": "/hub"}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": LOCKED_POD,
        "containers": [container],
        "volumes": [{"name": "hub", "configMap": {"name": "hub"}}],
    }
    if files:
        container["volumeMounts"].append({"name": "files", "mountPath": "/repository", "readOnly": True})
        pod["volumes"].append({"name": "files", "hostPath": {"path": str(files)}})
    for kind, what in (
        ("ConfigMap", {"data": {"hub_server.py": source}}),
        ("Pod", {"spec": pod}),
        ("Service", {"spec": {"selector": labels, "ports": [{"port": PORT}]}}),
    ):
        meta = {"name": "hub", "labels": labels}
        cluster.apply({"apiVersion": "v1", "kind": kind, "metadata": meta, **what}, namespace)
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/hub", "--timeout=60s")
    return f"http://hub.{namespace}.svc:{PORT}"


def sent(cluster: Cluster, namespace: str, url: str) -> tuple[int, int, int]:
    """(bytes that were sent before, the size of /m.tar, requests so far); asked from the client pod."""
    fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
    count, size, requests = run_python(cluster, namespace, fetch, f"{url}/sent").split()
    return int(count), int(size), int(requests)


def evict(cluster: Cluster, namespace: str, pod: str) -> None:
    """As a drain does."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
