"""Features switched on and off against a real API server and controller manager."""

import json
import subprocess
from functools import partial
from typing import Any

import pytest
import yaml

from .conftest import CRDS, Api, Operator, wait_for
from .specs import AUTOSCALED, FULL
from .steps import apply, exists, field, ready, settle, touch

pytestmark = pytest.mark.api
MANY = {"accessMode": "ReadWriteMany"}
HERE = ("hpa", "pdb", "networkpolicy", "ingress", "httproute", "servicemonitor", "prometheusrule")


def condition(api: Api, namespace: str, kind: str) -> dict[str, Any]:
    found = api.get("-n", namespace, "ssvc", "reviews")
    status = found.get("status", {})
    if status.get("observedGeneration") != found["metadata"]["generation"]:
        return {}
    return next((c for c in status["conditions"] if c["type"] == kind), {})


def reason(api: Api, namespace: str, kind: str) -> str:
    return str(condition(api, namespace, kind).get("reason", ""))


def present(api: Api, namespace: str) -> set[str]:
    return {kind for kind in HERE if exists(api, namespace, kind, "reviews")}


@pytest.mark.usefixtures("optional_kinds")
def test_with_everything_on_a_pass_makes_no_call(api: Api, operator: Operator, namespace: str) -> None:
    full = {**FULL, "storage": {**FULL["storage"], "retain": False}}
    for spec in (full, {**AUTOSCALED, "availability": FULL["availability"]}):
        apply(api, namespace, **spec)
        wait_for("rule", partial(exists, api, namespace, "prometheusrule", "reviews"), 60)
        calls = settle(api, operator, namespace)
        touch(api, operator, namespace)
        assert operator.writes() == calls
        api("-n", namespace, "delete", "ssvc", "reviews")
        # The garbage collector looks for new kinds every 30 s only.
        wait_for("no rule", lambda: not exists(api, namespace, "prometheusrule", "reviews"), 90)
        # The controller manager protects a claim that pods use, and there is no kubelet to end them.
        api("-n", namespace, "delete", "pods", "--all", "--force", "--grace-period=0")
        wait_for("no claim", lambda: not exists(api, namespace, "pvc", "reviews-models"))


@pytest.mark.usefixtures("operator", "optional_kinds")
def test_features_are_switched_on_and_off(api: Api, namespace: str) -> None:
    apply(api, namespace, storage=MANY)
    wait_for("deployment", partial(exists, api, namespace, "deployment", "reviews"))
    uid = field(api, namespace, "deployment", "reviews", ".metadata.uid")
    assert present(api, namespace) == set()
    apply(api, namespace, **AUTOSCALED | {"access": {**AUTOSCALED["access"], "networkPolicy": {}}})
    on = set(HERE) - {"ingress"}
    wait_for("features", lambda: present(api, namespace) == on, 60)
    assert exists(api, namespace, "configmap", "reviews-dashboard")
    # The number that the autoscaler left would be kept, and with it the budget.
    apply(api, namespace, replicas=1, storage=MANY, access={"ingress": {"host": "a.example.com"}})
    wait_for("ingress alone", lambda: present(api, namespace) == {"ingress"})
    wait_for("no dashboard", lambda: not exists(api, namespace, "configmap", "reviews-dashboard"))
    wait_for("condition", lambda: reason(api, namespace, "Exposed") == "IngressPending")
    assert field(api, namespace, "deployment", "reviews", ".metadata.uid") == uid


@pytest.mark.usefixtures("operator")
def test_an_autoscaler_takes_the_number_over_and_gives_it_back_without_a_dip(
    api: Api, namespace: str
) -> None:
    replicas = ".spec.replicas"

    def number() -> str:
        return field(api, namespace, "deployment", "reviews", replicas)

    apply(api, namespace, replicas=4)
    wait_for("four", lambda: number() == "4")
    watch = subprocess.Popen(
        [*api.command, "-n", namespace, "get", "deployment", "reviews", "-w", "-o", "json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        apply(api, namespace, autoscaling={"type": "HPA"})
        wait_for("hpa", partial(exists, api, namespace, "hpa", "reviews"))
        assert number() == "4"
        # The real controller raises the number to the least: from now on it is its own.
        apply(api, namespace, autoscaling={"type": "HPA", "minReplicas": 6})
        wait_for("six", lambda: number() == "6", 60)
        apply(
            api,
            namespace,
            autoscaling={"type": "HPA", "minReplicas": 6},
            rollout={"revisionHistoryLimit": 5},
        )
        history = ".spec.revisionHistoryLimit"
        wait_for("change", lambda: field(api, namespace, "deployment", "reviews", history) == "5")
        fields = api.get("-n", namespace, "deployment", "reviews", "--show-managed-fields")["metadata"]
        owners = [
            e["manager"] for e in fields["managedFields"] if "f:replicas" in e["fieldsV1"].get("f:spec", {})
        ]
        assert owners == ["kube-controller-manager"]
        apply(api, namespace)
        wait_for("no hpa", lambda: not exists(api, namespace, "hpa", "reviews"))
        assert number() == "6"
        apply(api, namespace, replicas=3)
        wait_for("three", lambda: number() == "3")
    finally:
        watch.terminate()
        told, _ = watch.communicate(timeout=10)
    decoder, seen, at = json.JSONDecoder(), [], 0
    while at < len(told.rstrip()):
        try:
            obj, at = decoder.raw_decode(told, at)
        except json.JSONDecodeError:  # cut off by the end of the watch
            break
        at += 1
        seen.append(obj["spec"]["replicas"])
    assert list(dict.fromkeys(seen)) in ([4, 6, 3], [4, 6])
    assert seen == sorted(seen[:-1]) + seen[-1:]


@pytest.mark.usefixtures("operator")
def test_a_kind_that_is_installed_later_is_used_then(api: Api, namespace: str) -> None:
    scaling = {"type": "KEDA", "prometheusAddress": "http://prometheus:9090"}
    apply(api, namespace, autoscaling=scaling)
    wait_for("condition", lambda: reason(api, namespace, "AutoscalingReady") == "KindNotInstalled")
    assert "install KEDA" in condition(api, namespace, "AutoscalingReady")["message"]
    assert reason(api, namespace, "Degraded") == "KindNotInstalled"
    api("apply", "--server-side", "-f", str(CRDS / "keda.sh_scaledobjects.yaml"))
    wait_for("scaled object", lambda: "reviews" in scaled_objects(api, namespace), 90)
    made = api.get("-n", namespace, "scaledobject", "reviews")
    assert made["spec"]["maxReplicaCount"] == 10
    wait_for("condition", lambda: reason(api, namespace, "AutoscalingReady") == "AutoscalerStarting")


def scaled_objects(api: Api, namespace: str) -> str:
    known = api("api-resources", "--api-group=keda.sh", "-o", "name")
    return api("-n", namespace, "get", "scaledobjects", "-o", "name") if known.strip() else ""


@pytest.mark.usefixtures("operator")
def test_foreign_objects_are_not_adopted_and_foreign_fields_stay(api: Api, namespace: str) -> None:
    here = ("-n", namespace)
    theirs = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "reviews"}}
    api(*here, "create", "-f", "-", stdin={**theirs, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}})
    apply(api, namespace, access={"networkPolicy": {}})
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "NameTaken")
    assert "NetworkPolicy reviews exists" in ready(api, namespace)["message"]
    apply(api, namespace)
    wait_for("no longer wanted", lambda: ready(api, namespace).get("reason") not in ("NameTaken", None))
    assert field(api, namespace, "networkpolicy", "reviews", ".spec.policyTypes[*]") == "Egress"
    api(*here, "label", "deployment", "reviews", "team=nlp")
    api(*here, "annotate", "service", "reviews", "example.com/x=y")
    apply(api, namespace, rollout={"revisionHistoryLimit": 7}, access={"service": {"type": "NodePort"}})
    wait_for("type", lambda: field(api, namespace, "service", "reviews", ".spec.type") == "NodePort")
    history = ".spec.revisionHistoryLimit"
    wait_for("history", lambda: field(api, namespace, "deployment", "reviews", history) == "7")
    assert field(api, namespace, "deployment", "reviews", ".metadata.labels.team") == "nlp"
    assert field(api, namespace, "service", "reviews", r".metadata.annotations.example\.com/x") == "y"


@pytest.mark.usefixtures("operator")
def test_a_model_that_cannot_be_found_leaves_the_pods_alone(api: Api, namespace: str) -> None:
    apply(api, namespace)
    wait_for("deployment", partial(exists, api, namespace, "deployment", "reviews"))
    before = field(api, namespace, "deployment", "reviews", ".metadata.generation")
    apply(api, namespace, model={"modelRef": {"name": "v2"}}, serving={"warmUp": True})
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "ModelNotFound")
    assert "remove spec.model.modelRef" in ready(api, namespace)["message"]
    assert field(api, namespace, "deployment", "reviews", ".metadata.generation") == before
    apply(api, namespace)
    wait_for("condition", lambda: ready(api, namespace).get("reason") not in ("ModelNotFound", None))


_NOT_ABOUT_A_SPEC = {
    "air-gapped.md",
    "client.md",
    "compose.md",
    "gitops.md",
    "kubectl-plugin.md",
    "one-machine.md",
    "operate.md",
    "prepare-a-model.md",
    "web-page.md",
}
HOW_TOS = sorted((CRDS.parents[2] / "docs/how-to").glob("*.md"))


@pytest.mark.usefixtures("optional_kinds")
def test_what_the_how_tos_show_is_accepted(api: Api, namespace: str) -> None:
    assert len(HOW_TOS) >= 8
    for page in HOW_TOS:
        blocks = page.read_text().split("```yaml\n")[1:]
        shown = [doc for block in blocks for doc in yaml.safe_load_all(block.split("```")[0])]
        if page.name not in _NOT_ABOUT_A_SPEC:
            assert any(doc.get("kind") == "SentimentService" for doc in shown), page.name
        for doc in (doc for doc in shown if "kind" in doc):  # the rest are values of others' charts
            api("-n", namespace, "apply", "--server-side", "--dry-run=server", "-f", "-", stdin=doc)
