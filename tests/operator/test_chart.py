"""The chart with every value set, against a real API server; and what its schema refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT, Api, KubectlError

pytestmark = pytest.mark.api
CHART = ROOT / "charts" / "sentiment-operator"
VALUES: dict[str, Any] = {
    "replicas": 3,
    "crds": {"enabled": True, "keep": True},
    "image": {"repository": "mirror/operator", "tag": "2.1", "pullPolicy": "Always"},
    "serviceImage": {"repository": "mirror/service", "tag": "2.2"},
    "modelImage": {"repository": "mirror/models", "tag": "2.3"},
    "imagePullSecrets": ["mirror"],
    "watchNamespaces": ["team-a", "team-b"],
    "logLevel": "DEBUG",
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "podAnnotations": {"example.com/owner": "platform"},
    "priorityClassName": "system-cluster-critical",
    "metrics": {
        "serviceMonitor": {"enabled": True, "interval": "7s", "labels": {"release": "stack"}},
        "dashboard": {"enabled": True, "labels": {"grafana_dashboard": "yes"}},
    },
}


def template(values: Path, *more: str) -> list[dict[str, Any]]:
    """What helm makes of the chart."""
    from e2e.cluster import build
    from e2e.cluster.shell import run
    from e2e.provider import tool

    command = [tool("helm", build.HELM), "template", "chart", str(CHART), f"--values={values}", *more]
    return [one for one in yaml.safe_load_all(run(command, what="helm template")) if one]


def names(values: dict[str, Any], at: str = "") -> Iterator[str]:
    """The paths of all values."""
    for name, value in values.items():
        yield f"{at}{name}"
        if isinstance(value, dict):
            yield from names(value, f"{at}{name}.")


def test_every_value_arrives_and_all_objects_are_accepted(
    api: Api, optional_kinds: list[str], namespace: str, tmp_path: Path
) -> None:
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(VALUES))
    preset = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(names(preset)) <= set(names(VALUES)), "each value is tried here"
    made = template(given, f"--namespace={namespace}")
    here = {(one["kind"], one["metadata"]["name"]): one for one in made}
    pod = here["Deployment", "chart"]["spec"]["template"]
    text = yaml.safe_dump(made)
    for words in ("mirror/operator:2.1", "mirror/service:2.2", "mirror/models:2.3", "team-a team-b", "DEBUG"):
        assert words in text
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert pod["spec"][name] == VALUES[name]
    assert pod["spec"]["imagePullSecrets"] == [{"name": "mirror"}]
    assert pod["spec"]["containers"][0]["resources"] == VALUES["resources"]
    assert pod["metadata"]["annotations"] == VALUES["podAnnotations"]
    monitor = here["ServiceMonitor", "chart"]
    assert (monitor["spec"]["endpoints"][0]["interval"], monitor["metadata"]["labels"]["release"]) == (
        "7s",
        "stack",
    )
    assert here["ConfigMap", "chart-dashboard"]["metadata"]["labels"]["grafana_dashboard"] == "yes"
    # What it monitors is what it selects.
    chosen = monitor["spec"]["selector"]["matchLabels"].items()
    assert chosen <= here["Service", "chart-metrics"]["metadata"]["labels"].items()
    assert optional_kinds
    for name in VALUES["watchNamespaces"]:
        api("create", "namespace", name)
    dry = ["--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "-f", "-"]
    told = api("apply", *dry, stdin={"apiVersion": "v1", "kind": "List", "items": made})
    assert told.count("serverside-applied (server dry run)") == len(made)


def test_the_operators_own_pod_is_admitted_by_the_restricted_standard(
    api: Api, namespace: str, tmp_path: Path
) -> None:
    given = tmp_path / "values.yaml"
    given.write_text("{}")
    [pod] = [one["spec"]["template"] for one in template(given) if one["kind"] == "Deployment"]
    api("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    api("-n", namespace, "create", "serviceaccount", "chart")
    made = {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": {**pod["metadata"], "name": "chart"}}
    api("-n", namespace, "create", "--dry-run=server", "-f", "-", stdin=made)
    made["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(KubectlError, match="violates PodSecurity"):
        api("-n", namespace, "create", "--dry-run=server", "-f", "-", stdin=made)


def test_a_value_that_is_none_is_refused_with_its_name(tmp_path: Path) -> None:
    from e2e.cluster.errors import ClusterError

    given = tmp_path / "values.yaml"
    given.write_text(
        yaml.safe_dump({"replica": 1, "logLevel": "LOUD", "replicas": "two", "image": {"tag": 1}})
    )
    with pytest.raises(ClusterError) as refused:
        template(given)
    for words in ("'replica' not allowed", "/logLevel", "/replicas", "/image/tag"):
        assert words in str(refused.value)
