"""The operator misses none of the rights that it needs, has none too many, and never asks for a secret."""

import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sentiment_operator.api.kinds import CHILDREN, Kind
from sentiment_operator.api.v1alpha1 import API_VERSION, GROUP, KIND, MODEL_KIND, PLURAL

from .conftest import ACCOUNT, NAMESPACE, ROOT, Api, KubectlError, wait_for
from .specs import AUTOSCALED, FULL

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths

pytestmark = pytest.mark.api

Right = tuple[str, str, str]  # verb, group, resource[/subresource]
_RARE: set[Right] = {
    # Asked by admission plugins, not by the operator.
    ("update", GROUP, "sentimentservices/finalizers"),
    ("update", GROUP, "sentimentmodels/finalizers"),
    # By who stands by.
    ("watch", "coordination.k8s.io", "leases"),
    # When a service turns from the bundled model to a SentimentModel.
    ("delete", "", "persistentvolumeclaims"),
    # While a Job has no pod.
    ("list", "", "events"),
}
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
_KEDA = {
    "storage": {"accessMode": "ReadWriteMany"},
    "autoscaling": {"type": "KEDA", "prometheusAddress": "http://prometheus.monitoring:9090"},
}


def granted() -> set[Right]:
    """What manifests/install gives to the service account."""
    objects = list(yaml.safe_load_all((ROOT / "manifests/install/operator.yaml").read_text()))
    bound = {
        (item["roleRef"]["kind"], item["roleRef"]["name"])
        for item in objects
        if item["kind"] in ("RoleBinding", "ClusterRoleBinding")
        and {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE} in item["subjects"]
    }
    return {
        (verb, group, resource)
        for item in objects
        if (item["kind"], item["metadata"]["name"]) in bound
        for rule in item["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def requested(control_plane: "ClusterPaths") -> Iterator[tuple[Right, int]]:
    """What the service account asked for so far, and the answers' codes."""
    for line in control_plane.audit_log.read_text().splitlines():
        entry = json.loads(line)
        if entry["user"]["username"] != USER or "objectRef" not in entry:
            continue
        about = entry["objectRef"]
        code = entry["responseStatus"]["code"]
        if "is being terminated" in entry["responseStatus"].get("message", ""):
            continue  # refused for the end of another test's namespace, not for a right
        resource = "/".join(filter(None, (about["resource"], about.get("subresource", ""))))
        yield (entry["verb"], about.get("apiGroup", ""), resource), code
        if entry["verb"] == "patch" and code == 201:  # an apply of what was not there
            yield ("create", about.get("apiGroup", ""), resource), code


@pytest.fixture
def optional_kinds(api: Api) -> Iterator[None]:
    """Small definitions of the optional kinds, installed after the operator was."""
    definitions = [_definition(kind) for kind in CHILDREN if kind.optional]
    for definition in definitions:
        api("apply", "--server-side", "-f", "-", stdin=definition)
    yield
    for definition in definitions:
        api("delete", "crd", definition["metadata"]["name"])


def _definition(kind: Kind) -> dict[str, Any]:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": kind.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    names = {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {"group": kind.group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _apply(api: Api, namespace: str, spec: dict[str, Any]) -> None:
    made = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "reviews"}, "spec": spec}
    verb = "replace" if api("-n", namespace, "get", PLURAL, "-o", "name") else "create"
    api("-n", namespace, verb, "-f", "-", stdin=made)


@pytest.mark.usefixtures("optional_kinds", "operator")
def test_no_right_is_missing(api: Api, control_plane: "ClusterPaths", namespace: str) -> None:
    basic = {"persistentvolumeclaims", "services", "deployments"}
    watched = {("watch", kind.group, kind.plural) for kind in CHILDREN}
    wait_for("watches", lambda: watched <= {right for right, _ in requested(control_plane)}, 60)
    full = {**FULL, "storage": AUTOSCALED["storage"]}
    stages = (
        (full, {"ingresses", "networkpolicies", "poddisruptionbudgets", "prometheusrules"}),
        (AUTOSCALED, {"horizontalpodautoscalers", "httproutes", "servicemonitors"}),
        (_KEDA, {"scaledobjects"}),
    )
    for spec, wanted in stages:
        _apply(api, namespace, spec)
        wait_for(f"{wanted}", partial(_has, api, namespace, basic | wanted), 60)
    bare = {"podDisruptionBudget": {"policy": "Never"}}
    _apply(api, namespace, {"storage": AUTOSCALED["storage"], "availability": bare})
    wait_for("status", lambda: _seen(api, namespace), 60)
    wait_for("nothing but the basics", lambda: _kinds(api, namespace) <= basic, 60)
    model = {"apiVersion": API_VERSION, "kind": MODEL_KIND, "metadata": {"name": "m"}}
    api("-n", namespace, "create", "-f", "-", stdin={**model, "spec": {"source": {"bundled": {}}}})
    wait_for("job", partial(_has, api, namespace, {"jobs"}), 60)
    wait_for("model's status", lambda: "status" in api.get("-n", namespace, "smodel", "m"), 60)
    before = api("-n", namespace, "get", "jobs", "-o", "name")
    changed = {"spec": {"precision": "fp32"}}
    api("-n", namespace, "patch", "smodel", "m", "--type=merge", "--patch-file=/dev/stdin", stdin=changed)
    wait_for("another job", lambda: api("-n", namespace, "get", "jobs", "-o", "name") not in ("", before), 60)
    answers = list(requested(control_plane))
    assert {right for right, code in answers if code == 403} == set()
    # What is done to each kind that comes and goes was all asked for, so that the line above means something.
    asked = {right for right, _ in answers} & granted()
    for kind in CHILDREN:
        assert {("patch", kind.group, kind.plural), ("watch", kind.group, kind.plural)} <= asked, kind
    # And no right is too many: what is left is not for every run to ask for.
    assert {right for right in granted() - asked if right[0] != "get"} <= _RARE


def _has(api: Api, namespace: str, wanted: set[str]) -> bool:
    return wanted <= _kinds(api, namespace)


def _seen(api: Api, namespace: str) -> bool:
    found = api.get("-n", namespace, "sentimentservice", "reviews")
    return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])


def _kinds(api: Api, namespace: str) -> set[str]:
    names = [f"{kind.plural}.{kind.group}" if kind.group else kind.plural for kind in CHILDREN]
    mine = "app.kubernetes.io/managed-by=sentiment-operator"
    found = api("-n", namespace, "get", ",".join(names), "-o", "name", "-l", mine)
    kinds = {kind.kind.lower(): kind.plural for kind in CHILDREN}
    return {kinds[line.split("/")[0].split(".")[0]] for line in found.split()}


def test_secrets_are_never_read(api: Api) -> None:
    for verb in ("get", "list", "watch"):
        with pytest.raises(KubectlError):  # it says no with its exit code
            api("auth", "can-i", verb, "secrets", "--as", USER, "--all-namespaces")
    assert api("auth", "can-i", "list", "pods", "--as", USER, "--all-namespaces").strip() == "yes"
