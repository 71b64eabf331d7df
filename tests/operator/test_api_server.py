"""Reconciling against a real API server, etcd and controller manager."""

import re
import signal
from functools import partial
from typing import Any

import pytest

from .conftest import Api, KubectlError, Operator, wait_for
from .steps import apply, children_made, exists, field, is_new, manifest, ready, settle, touch

pytestmark = pytest.mark.api


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"replicas": -1}, "spec.replicas in body should be greater than or equal to 0"),
        ({"replcas": 1}, 'unknown field "spec.replcas"'),
        ({"serving": {"logLevel": "LOUD"}}, 'Unsupported value: "LOUD": supported values: "DEBUG"'),
        ({"serving": {"maxBatchItems": 200000}}, "should be less than or equal to 100000"),
        ({"storage": {"size": "big"}}, "spec.storage.size in body should match"),
        ({"storage": {"accessMode": "ReadOnlyMany"}}, 'supported values: "ReadWriteOnce", "ReadWriteMany"'),
    ],
    ids=["replicas", "unknown", "log-level", "batch", "size", "access-mode"],
)
def test_wrong_yaml_is_refused_at_apply(api: Api, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(KubectlError) as refused:
        api("apply", "--dry-run=server", "-f", "-", stdin=manifest(**spec))
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["a" * 53, "1st", "with.dot"])
def test_a_name_that_no_child_could_bear_is_refused(api: Api, name: str) -> None:
    with pytest.raises(KubectlError, match=r"metadata\.name"):
        api("apply", "--dry-run=server", "-f", "-", stdin=manifest(name))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"accessMode": "ReadWriteMany"},
            "spec.storage.accessMode of an existing claim can't change",
        ),
        ({"size": "1Gi"}, "spec.storage.size can only grow: keep the old size or more"),
        ({"storageClassName": "fast"}, "spec.storage.storageClassName of an existing claim can't change"),
    ],
    ids=["access-mode", "shrink", "class"],
)
def test_a_change_that_no_claim_can_follow_is_refused(
    api: Api, namespace: str, change: dict[str, str], words: str
) -> None:
    apply(api, namespace, storage={"size": "2Gi"})
    with pytest.raises(KubectlError) as refused:
        apply(api, namespace, storage={"size": "2Gi", **change})
    assert words in str(refused.value)


@pytest.mark.usefixtures("operator")
def test_children_are_made_and_owned(api: Api, namespace: str) -> None:
    apply(api, namespace, replicas=2)
    wait_for("children", partial(children_made, api, namespace))
    service = api.get("-n", namespace, "sentimentservice", "reviews")
    for kind, name in (("pvc", "reviews-models"), ("service", "reviews"), ("deployment", "reviews")):
        [reference] = api.get("-n", namespace, kind, name)["metadata"]["ownerReferences"]
        assert (reference["uid"], reference["controller"]) == (service["metadata"]["uid"], True)
    # No node: the pods can't start, and the status says so.
    wait_for("status", lambda: ready(api, namespace).get("status") == "False")
    assert field(api, namespace, "sentimentservice", "reviews", ".status.url") == (
        f"http://reviews.{namespace}.svc:7860"
    )
    assert "finalizers" not in api.get("-n", namespace, "sentimentservice", "reviews")["metadata"]
    # That a new object is not ready yet is no event; that it was put to sleep is one.
    events = partial(api, "-n", namespace, "events", "--for=sentimentservice/reviews")
    assert "Normal" not in events()
    apply(api, namespace, replicas=0)
    wait_for("event", lambda: re.search(r"Normal +ScaledToZero", events()))


@pytest.mark.usefixtures("operator")
def test_drift_is_repaired(api: Api, namespace: str) -> None:
    apply(api, namespace, replicas=1)
    wait_for("children", partial(children_made, api, namespace))
    patches = {
        "deployment": {"spec": {"replicas": 5, "template": {"spec": {"automountServiceAccountToken": True}}}},
        "service": {
            "metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}},
            "spec": {"selector": {"a": "b"}},
        },
    }
    for kind, patch in patches.items():
        api("-n", namespace, "patch", kind, "reviews", "--type=merge", "--patch-file=/dev/stdin", stdin=patch)
    wait_for("one replica", lambda: field(api, namespace, "deployment", "reviews", ".spec.replicas") == "1")
    pod = ".spec.template.spec.automountServiceAccountToken"
    assert field(api, namespace, "deployment", "reviews", pod) == "false"
    label = r".metadata.labels.app\.kubernetes\.io/managed-by"
    wait_for("label", lambda: field(api, namespace, "service", "reviews", label) == "sentiment-operator")


@pytest.mark.usefixtures("operator")
def test_a_deleted_child_comes_back(api: Api, namespace: str) -> None:
    apply(api, namespace)
    wait_for("children", partial(children_made, api, namespace))
    for kind in ("deployment", "service"):
        old = field(api, namespace, kind, "reviews", ".metadata.uid")
        api("-n", namespace, "delete", kind, "reviews")
        wait_for(f"new {kind}", partial(is_new, api, namespace, kind, old))


@pytest.mark.usefixtures("operator")
def test_what_the_spec_no_longer_says_is_taken_back(api: Api, namespace: str) -> None:
    secrets = ".spec.template.spec.imagePullSecrets"
    apply(api, namespace, image={"pullSecrets": ["mirror"]})
    wait_for("secret", lambda: "mirror" in field(api, namespace, "deployment", "reviews", secrets))
    apply(api, namespace)
    wait_for("no secret", lambda: field(api, namespace, "deployment", "reviews", secrets) == "")


def test_a_pass_with_nothing_to_do_makes_no_call(api: Api, operator: Operator, namespace: str) -> None:
    apply(api, namespace)
    wait_for("children", partial(children_made, api, namespace))
    calls = settle(api, operator, namespace)
    for _ in range(3):
        touch(api, operator, namespace)
    assert operator.writes() == calls


@pytest.mark.usefixtures("operator")
def test_an_object_of_somebody_else_is_left_alone(api: Api, namespace: str) -> None:
    api("-n", namespace, "create", "service", "clusterip", "reviews", "--tcp=80")
    apply(api, namespace)
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "NameTaken")
    assert "Service reviews exists and does not belong" in ready(api, namespace)["message"]
    assert field(api, namespace, "service", "reviews", ".spec.ports[0].port") == "80"
    assert exists(api, namespace, "deployment", "reviews")
    api("-n", namespace, "delete", "service", "reviews")
    wait_for(
        "our service", lambda: field(api, namespace, "service", "reviews", ".spec.ports[0].port") == "7860"
    )


@pytest.mark.usefixtures("operator")
def test_a_retained_claim_outlives_its_service_and_is_taken_up_again(api: Api, namespace: str) -> None:
    apply(api, namespace, storage={"retain": True})
    wait_for("children", partial(children_made, api, namespace))
    uid = field(api, namespace, "pvc", "reviews-models", ".metadata.uid")
    api("-n", namespace, "delete", "sentimentservice", "reviews")
    wait_for("no deployment", lambda: not exists(api, namespace, "deployment", "reviews"))
    apply(api, namespace, storage={"retain": True})
    wait_for("deployment", lambda: exists(api, namespace, "deployment", "reviews"))
    assert field(api, namespace, "pvc", "reviews-models", ".metadata.uid") == uid
    apply(api, namespace, storage={"retain": False})
    wait_for(
        "owner", lambda: field(api, namespace, "pvc", "reviews-models", ".metadata.ownerReferences[0].uid")
    )


def test_deletion_needs_no_operator_and_a_restart_finds_nothing_to_do(
    api: Api, operator: Operator, namespace: str
) -> None:
    apply(api, namespace)
    apply(api, namespace, name="doomed")
    wait_for("children", partial(children_made, api, namespace))
    wait_for("children", partial(children_made, api, namespace, "doomed"))
    settle(api, operator, namespace)
    operator.stop(signal.SIGKILL)
    api("-n", namespace, "delete", "sentimentservice", "doomed", "--timeout=10s")
    wait_for("no deployment", lambda: not exists(api, namespace, "deployment", "doomed"))
    wait_for("no service", lambda: not exists(api, namespace, "service", "doomed"))
    operator.start()
    touch(api, operator, namespace)
    assert operator.writes() == 0
    assert not exists(api, namespace, "deployment", "doomed")


def test_sigterm_ends_the_operator_in_order(operator: Operator) -> None:
    assert operator.stop() == 0
    operator.start()
