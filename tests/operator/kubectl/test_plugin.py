"""`kubectl sentiment …` through the real kubectl, against a real API server and a running operator."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.operator.conftest import Api, wait_for

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths

pytestmark = [pytest.mark.api, pytest.mark.usefixtures("operator")]
SERVICE = {"apiVersion": "sentiment-operator.io/v1alpha1", "kind": "SentimentService"}
Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def kubectl(api: Api, control_plane: "ClusterPaths") -> Kubectl:
    """kubectl as a person has it: it finds the plugin in PATH, and the cluster in KUBECONFIG."""
    path = os.pathsep.join(
        (str(Path(sys.executable).parent), str(Path(api.command[0]).parent), os.environ["PATH"])
    )
    environment = os.environ | {"KUBECONFIG": str(control_plane.kubeconfig), "PATH": path}

    def run(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command = ["kubectl", *arguments]
        return subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, check=False, timeout=60
        )

    return run


def test_a_service_without_nodes_is_explained(kubectl: Kubectl, api: Api, namespace: str) -> None:
    made = SERVICE | {
        "metadata": {"name": "reviews", "namespace": namespace},
        "spec": {"model": {"modelRef": {"name": "none"}}},
    }
    api("apply", "-f", "-", stdin=made)
    wait_for(
        "a status", lambda: "ModelNotFound" in api("-n", namespace, "get", "ssvc", "reviews", "-o", "yaml")
    )

    told = kubectl("sentiment", "explain", "reviews", "-n", namespace)
    assert told.returncode == 1, told.stderr
    assert f"{namespace}/reviews  ✗ not as asked for" in told.stdout
    assert "ModelNotFound  (Degraded)" in told.stdout
    assert "remedy: Create it, or remove the reference." in told.stdout

    status = kubectl("sentiment", "status", "reviews", "-n", namespace)
    assert status.returncode == 0, status.stderr
    for said in (
        "ModelReady",
        "no pods",
        "no pod tells its metrics",
        "alerts: no Prometheus",
        "explain reviews",
    ):
        assert said in status.stdout

    asked = kubectl("sentiment", "analyze", "reviews", "好", "-n", namespace)
    assert asked.returncode == 1
    assert "no endpoints available for service" in asked.stderr


def test_what_is_rendered_is_what_the_operator_made(kubectl: Kubectl, api: Api, namespace: str) -> None:
    made = SERVICE | {"metadata": {"name": "reviews", "namespace": namespace}}
    api("apply", "-f", "-", stdin=made)
    wait_for(
        "a Deployment", lambda: api("-n", namespace, "get", "deploy", "--ignore-not-found", "-o", "name")
    )
    file = api("-n", namespace, "get", "ssvc", "reviews", "-o", "yaml")
    told = kubectl("sentiment", "render", "-", "--service-image", "service:1", stdin=file)
    uid = api("-n", namespace, "get", "ssvc", "reviews", "-o", "jsonpath={.metadata.uid}")
    rendered = told.stdout.replace("00000000-0000-0000-0000-000000000000", uid)
    # Whoever applies it changes nothing.
    differs = kubectl(
        "diff",
        "--server-side",
        "--force-conflicts",
        "--field-manager=sentiment-operator",
        "-f",
        "-",
        stdin=rendered,
    )
    assert differs.returncode == 0, differs.stdout + differs.stderr


def test_the_tab_key(kubectl: Kubectl, api: Api, namespace: str) -> None:
    model = SERVICE | {"kind": "SentimentModel", "metadata": {"name": "large", "namespace": namespace}}
    api("apply", "-f", "-", stdin=SERVICE | {"metadata": {"name": "reviews", "namespace": namespace}})
    api("apply", "-f", "-", stdin=model | {"spec": {"source": {"bundled": {}}}})

    def proposes(*words: str) -> list[str]:
        # What kubectl's own completion asks behind `kubectl sentiment`.
        *proposals, directive = kubectl("__complete", "sentiment", *words).stdout.split()
        assert directive in (":4", ":0")
        return proposals

    assert proposes("sta") == ["status"]
    assert {"analyze", "explain", "render"} <= set(proposes(""))
    assert proposes("status", "-n", namespace, "") == ["reviews", "smodel/large"]
    assert proposes("analyze", "-n", namespace, "re") == ["reviews"]
    assert proposes("analyze", "reviews", "") == []
    assert namespace in proposes("top", "-n", "")
    assert "--seconds" in proposes("bench", "--")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("status", "missing"), 'sentimentservices.sentiment-operator.io "missing" not found'),
        (("explain", "smodel/missing"), 'sentimentmodels.sentiment-operator.io "missing" not found'),
        (("status", "x", "--context", "nowhere"), "nowhere"),
    ],
)
def test_what_is_not_there_is_said(arguments: tuple[str, ...], says: str, kubectl: Kubectl) -> None:
    told = kubectl("sentiment", *arguments)
    assert told.returncode == 1
    assert told.stderr.startswith("kubectl sentiment: ")
    assert says in told.stderr
