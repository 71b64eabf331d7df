"""The chart with watchNamespaces: Roles only, and nothing is asked for elsewhere."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sentiment_operator.api.v1alpha1 import PLURAL

from .conftest import Api, Operator, wait_for, with_account
from .specs import AUTOSCALED, FULL
from .steps import apply, children_made, exists

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths

pytestmark = pytest.mark.api
RELEASE = "team-operator"


@pytest.fixture
def installed(api: Api, namespace: str) -> Iterator[str]:
    """The chart's objects without the pods, in a namespace of their own; watches the test's namespace."""
    from e2e.cluster import build
    from e2e.cluster.shell import run
    from e2e.provider import CHART, tool

    home = f"{RELEASE}-system"
    api("create", "namespace", home)
    command = [tool("helm", build.HELM), "template", RELEASE, str(CHART), f"--namespace={home}"]
    command += ["--set=crds.enabled=false", f"--set=watchNamespaces={{{namespace}}}"]
    found = [one for one in yaml.safe_load_all(run(command, what="helm template")) if one]
    ours = [one for one in found if one["kind"] not in ("Deployment", "PodDisruptionBudget")]
    for one in ours:
        api("apply", "--server-side", "-f", "-", stdin=one)
    bound = {one["roleRef"]["name"] for one in found if one["kind"] == "ClusterRoleBinding"}
    assert bound == set(), "no right in the whole cluster"
    yield home
    for one in ours:
        if one["kind"] == "ClusterRole":  # for people, and in no namespace
            api("delete", "clusterrole", one["metadata"]["name"])
    api("delete", "namespace", home, "--wait=false")


def test_it_works_in_its_namespace_and_asks_for_nothing_elsewhere(
    api: Api,
    operator: Operator,
    control_plane: "ClusterPaths",
    namespace: str,
    installed: str,
    tmp_path: Path,
) -> None:
    operator.stop()
    environment = {"WATCH_NAMESPACES": namespace, "POD_NAMESPACE": installed, "LEASE_NAME": RELEASE}
    kubeconfig = with_account(api, control_plane.kubeconfig, tmp_path / "config", installed, RELEASE)
    single = replace(
        operator, kubeconfig=kubeconfig, log=tmp_path / "log", environment=environment, process=None
    )
    try:
        apply(api, installed)  # not in its namespace
        single.start()
        full = {name: value for name, value in FULL.items() if name != "monitoring"}
        apply(api, namespace, **{**full, "storage": AUTOSCALED["storage"]})
        wait_for("children", lambda: children_made(api, namespace))
        wait_for("ingress", lambda: exists(api, namespace, "ingress", "reviews"))
        apply(api, namespace, storage=AUTOSCALED["storage"])
        wait_for("ingress gone", lambda: not exists(api, namespace, "ingress", "reviews"))
        wait_for("status", lambda: "status" in api.get("-n", namespace, PLURAL, "reviews"))
        assert "status" not in api.get("-n", installed, PLURAL, "reviews")
        assert not exists(api, installed, "deployment", "reviews")
    finally:
        single.stop()
        operator.start()
    calls = list(_calls(control_plane, f"system:serviceaccount:{installed}:{RELEASE}"))
    assert {call["responseStatus"]["code"] for call in calls} & {401, 403} == set()
    asked = {(call["objectRef"].get("namespace"), call["objectRef"]["resource"]) for call in calls}
    assert {place for place, resource in asked if resource != "leases"} == {namespace}
    assert {place for place, resource in asked if resource == "leases"} == {installed}


def _calls(control_plane: "ClusterPaths", user: str) -> Iterator[dict[str, Any]]:
    for line in control_plane.audit_log.read_text().splitlines():
        call = json.loads(line)
        if call["user"]["username"] == user and "objectRef" in call:
            yield call
