"""A model is prepared once on the real node, survives an eviction, and is shared by services."""

import json
from functools import partial
from typing import Any

import pytest

from .ask import ask, client_pod, run_python
from .cluster.errors import ClusterError
from .cluster.images import PRODUCT
from .demo import wait_ready
from .hub import evict, sent, start_hub
from .provider import Cluster
from .wait import quiet, wait_for

pytestmark = pytest.mark.e2e

API = "sentiment-operator.io/v1alpha1"
JOB = {"resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}
PRAISE, SLATING = "价格实惠，性价比高", "客服完全不理人，差评"


# By the v2 path, so that the request says nothing of the model in its body.
ASK_BOTH = f"""
import json, urllib.request
def call(path, body=None):
    data = body and json.dumps(body).encode()
    request = urllib.request.Request("http://both:7860/" + path, data, {{"Content-Type": "application/json"}})
    return urllib.request.urlopen(request, timeout=30).read().decode()
texts = {{"name": "text", "shape": [2], "datatype": "BYTES", "data": {[PRAISE, SLATING]!r}}}
asked = {{"inputs": [texts], "outputs": [{{"name": "english_label"}}]}}
told = json.loads(call("v2/models/other/infer", asked))["outputs"][0]["data"]
lines = [line for line in call("metrics").splitlines() if line.startswith("structbert_model_loaded{{")]
print(json.dumps([told, *lines]))
"""


def model(cluster: Cluster, namespace: str, source: dict[str, Any], name: str = "m", **storage: str) -> None:
    spec = {"source": source, "storage": {"size": "200Mi", **storage}, "job": JOB}
    made = {"apiVersion": API, "kind": "SentimentModel", "metadata": {"name": name}, "spec": spec}
    cluster.apply(made, namespace)


def service(cluster: Cluster, namespace: str, name: str, **spec: Any) -> None:
    spec = spec or {"model": {"modelRef": {"name": "m"}}}
    made = {"apiVersion": API, "kind": "SentimentService", "metadata": {"name": name}, "spec": spec}
    cluster.apply(made, namespace)


def status(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Of the newest spec; empty before."""
    found = cluster.get("-n", namespace, "sentimentmodel", "m")
    told: dict[str, Any] = found.get("status", {})
    return told if told.get("observedGeneration") == found["metadata"]["generation"] else {}


def condition(told: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((one for one in told.get("conditions", ()) if one["type"] == kind), {})


def answers(cluster: Cluster, namespace: str, name: str) -> list[str]:
    told = ask(cluster, namespace, f"http://{name}.{namespace}.svc:7860", [PRAISE, SLATING])
    return [answer["data"]["sentiment"] for answer in told]


def folders(cluster: Cluster, namespace: str) -> list[str]:
    """What the volume holds, as a server sees it."""
    script = "import os; print(*sorted(n for n in os.listdir('/models') if n != '.lock'))"
    exec_in = ["-n", namespace, "exec", "deployment/one", "-c", "server", "--"]
    return cluster.kubectl(*exec_in, "/app/bin/python", "-c", script).split()


def test_one_preparation_serves_two_services(cluster: Cluster, namespace: str) -> None:
    url = start_hub(cluster, namespace)
    client_pod(cluster, namespace)
    service(cluster, namespace, "one")
    model(cluster, namespace, {"http": {"url": f"{url}/m.tar"}})
    # In a volume that any node can mount: the other one may be bound to either of them.
    anywhere = {"accessMode": "ReadWriteMany", "storageClassName": "shared"}
    model(cluster, namespace, {"bundled": {}}, "n", **anywhere)

    # Half has come, and the status says so; then the Job's pod is evicted.
    wait_for("progress", lambda: status(cluster, namespace).get("progress", 0) > 10)
    assert status(cluster, namespace)["phase"] == "Fetching"
    [pod] = cluster.get("-n", namespace, "pods", "-l", "model.sentiment-operator.io/m")["items"]
    evict(cluster, namespace, pod["metadata"]["name"])
    wait_for("package", lambda: status(cluster, namespace).get("phase") == "Ready", 120)
    wait_ready(cluster, namespace, "one", quiet)
    assert answers(cluster, namespace, "one") == ["积极", "消极"]
    count, size, requests = sent(cluster, namespace, url)
    assert size <= count < size * 1.2, "the second pod went on where the first one was"

    # A second service fetches nothing and runs no Job.
    service(cluster, namespace, "two")
    wait_ready(cluster, namespace, "two", quiet)
    assert answers(cluster, namespace, "two") == ["积极", "消极"]
    assert sent(cluster, namespace, url)[2] == requests
    [job] = cluster.get("-n", namespace, "jobs", "-l", "app.kubernetes.io/instance=m")["items"]
    wait_for("consumers", lambda: status(cluster, namespace).get("usedBy") == ["one", "two"])
    first = status(cluster, namespace)["package"]
    assert job["metadata"]["name"] == f"m-{first['path']}"
    row = cluster.kubectl("-n", namespace, "get", "smodel").splitlines()[1].split()
    assert row[:5] == ["m", "Ready", "100", "openvino", "int8"]
    assert row[7:9] == [first["digest"].removeprefix("sha256:")[:12], "2"]
    exec_in = ["-n", namespace, "exec", "deployment/one", "-c", "server", "--"]
    with pytest.raises(ClusterError, match="Read-only file system"):
        cluster.kubectl(*exec_in, "/app/bin/python", "-c", "open('/models/x', 'w')")

    # One service of both, each in a volume of its own: chosen by name, loaded when asked.
    named = [{"name": "first", "modelRef": {"name": "m"}}, {"name": "other", "modelRef": {"name": "n"}}]
    service(cluster, namespace, "both", models=named)
    wait_ready(cluster, namespace, "both", quiet)
    assert json.loads(run_python(cluster, namespace, ASK_BOTH)) == [
        ["Positive", "Negative"],
        'structbert_model_loaded{model="first"} 0.0',
        'structbert_model_loaded{model="other"} 1.0',
    ]
    assert "first,other" in cluster.kubectl("-n", namespace, "get", "ssvc", "both")
    cluster.kubectl("-n", namespace, "delete", "ssvc", "both")
    its_pods = ["-n", namespace, "get", "pods", "-l", "app.kubernetes.io/instance=both", "-o", "name"]
    wait_for("the end of its pods", lambda: not cluster.kubectl(*its_pods).strip())

    # A bad one leaves the old one serving, and both say why.
    pods = uids(cluster, namespace)
    model(cluster, namespace, {"http": {"url": f"{url}/m.tar", "sha256": "0" * 64}})
    degraded = partial(_degraded, cluster, namespace, "ChecksumMismatch")
    wait_for("refusal", degraded, 90)
    wait_for("refusal in the service", lambda: "ChecksumMismatch" in _service_degraded(cluster, namespace))
    assert answers(cluster, namespace, "one") == ["积极", "消极"]
    assert uids(cluster, namespace) == pods

    # A good one rolls both; what the bad one left is gone.
    purelib = "import sysconfig; print(sysconfig.get_path('purelib').strip('/'))"
    path = run_python(cluster, namespace, purelib).strip() + "/sentiment_service/bundled"
    model(cluster, namespace, {"oci": {"reference": PRODUCT[0].short_reference, "path": path}})
    wait_for("package", lambda: status(cluster, namespace).get("phase") == "Ready", 90)
    second = status(cluster, namespace)["package"]["path"]
    for name in ("one", "two"):
        wait_for("roll-out", partial(_serves, cluster, namespace, name, second), 90)
        wait_ready(cluster, namespace, name, quiet)
        assert answers(cluster, namespace, name) == ["积极", "消极"]
    assert folders(cluster, namespace) == sorted([first["path"], second])


def uids(cluster: Cluster, namespace: str) -> set[str]:
    found = cluster.get("-n", namespace, "pods", "-l", "app.kubernetes.io/name=sentiment-service")
    return {pod["metadata"]["uid"] for pod in found["items"]}


def _degraded(cluster: Cluster, namespace: str, reason: str) -> bool:
    found = condition(status(cluster, namespace), "Degraded")
    return bool(found.get("status") == "True" and found["reason"] == reason)


def _service_degraded(cluster: Cluster, namespace: str) -> str:
    found = cluster.get("-n", namespace, "sentimentservice", "one")
    return str(condition(found["status"], "Degraded").get("message"))


def _serves(cluster: Cluster, namespace: str, name: str, package: str) -> bool:
    found = cluster.get("-n", namespace, "deployment", name)
    labels = found["spec"]["template"]["metadata"]["labels"]
    return bool(labels.get("model.sentiment-operator.io/m") == package)
