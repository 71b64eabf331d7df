"""What Argo CD and Flux make of our statuses, and what kustomize and helm make of the examples for them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa import LuaRuntime  # type: ignore[import-untyped]
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.reconcile.conditions import Observed
from sentiment_operator.reconcile.model_conditions import SeenModel
from sentiment_operator.reconcile.model_status import compute_model_status
from sentiment_operator.reconcile.status import compute_status

from .conftest import Api
from .objects import MODEL_OWNER, OWNER, deployment, pod, waiting
from .test_model_status import CREATED, DONE, FAILED, WISH, job
from .test_model_status import SPEC as MODEL_SPEC

ROOT = Path(__file__).parents[2]
HEALTH = ROOT / "manifests" / "argocd" / "health.lua"

READY = deployment(replicas=1, updatedReplicas=1, readyReplicas=1, availableReplicas=1)
STARTING = deployment(replicas=1, updatedReplicas=1)
CRASHING = pod(containerStatuses=[waiting("server", "CrashLoopBackOff", "back-off")])
ASLEEP = SentimentServiceSpec.model_validate({"replicas": 0})


def service(made: dict[str, Any], *pods: dict[str, Any], asleep: bool = False, generation: int = 1) -> Any:
    """A SentimentService as the operator leaves it; generation 2: its newest spec was not seen yet."""
    spec = ASLEEP if asleep else SentimentServiceSpec.model_validate({})
    seen = Observed({"Deployment": made}, list(pods), spec=spec)
    status = compute_status(OWNER, 1, seen, {}, "2026-01-01T00:00:00Z")
    return {"metadata": {"generation": generation}, "status": status}


def model(job: dict[str, Any] | None, *pods: dict[str, Any]) -> Any:
    """A SentimentModel as the operator leaves it."""
    children = {"Job": job} if job else {}
    seen = SeenModel(children=children, pods=list(pods), spec=MODEL_SPEC, wish=WISH, now=CREATED)
    status = compute_model_status(MODEL_OWNER, 1, seen, {}, CREATED)
    return {"metadata": {"generation": 1}, "status": status}


CASES = {
    "model prepared": (model(job(WISH, DONE)), "Healthy", "Current"),
    "model preparing": (model(job()), "Progressing", "InProgress"),
    "model failed": (model(job(WISH, FAILED)), "Degraded", "InProgress"),
    "ready": (service(READY), "Healthy", "Current"),
    "starting": (service(STARTING), "Progressing", "InProgress"),
    "crashing": (service(STARTING, CRASHING), "Degraded", "InProgress"),
    "asleep": (service(deployment(), asleep=True), "Suspended", "InProgress"),
    "not seen": (service(READY, generation=2), "Progressing", "InProgress"),
    "new": ({"metadata": {"generation": 1}}, "Progressing", "Current"),
}


def argo(obj: dict[str, Any]) -> str:
    """The health that Argo CD would show: it runs the script with `obj` set."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    answer = lua.execute(HEALTH.read_text())
    assert answer["message"]
    return str(answer["status"])


def kstatus(obj: dict[str, Any]) -> str:
    """The generic rules of kstatus (sigs.k8s.io/cli-utils, pkg/kstatus), by which Flux waits."""
    status = obj.get("status", {})
    if status.get("observedGeneration", obj["metadata"]["generation"]) != obj["metadata"]["generation"]:
        return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    if conditions.get("Ready", "True") != "True":
        return "InProgress"
    return "Current"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_argo_cd_shows_the_health(case: str) -> None:
    obj, health, _ = CASES[case]
    assert argo(obj) == health


@pytest.mark.parametrize("case", CASES, ids=str)
def test_flux_waits_by_the_conditions(case: str) -> None:
    obj, _, wanted = CASES[case]
    assert kstatus(obj) == wanted


def test_conditions_are_of_the_standard_form() -> None:
    for condition in service(READY)["status"]["conditions"]:
        assert condition.keys() == {
            "type",
            "status",
            "reason",
            "message",
            "lastTransitionTime",
            "observedGeneration",
        }


def examples() -> list[dict[str, Any]]:
    """The objects that Argo CD and Flux are given."""
    files = [ROOT / "manifests/argocd/applications.yaml", ROOT / "manifests/flux/sync.yaml"]
    return [one for file in files for one in yaml.safe_load_all(file.read_text())]


def charts() -> list[tuple[str, dict[str, Any]]]:
    """Each chart that they install, and the values that they give it."""
    sources = [one["spec"]["source"] for one in examples() if one["kind"] == "Application"]
    argo = [(one["path"], one["helm"]["valuesObject"]) for one in sources if "helm" in one]
    releases = [one["spec"] for one in examples() if one["kind"] == "HelmRelease"]
    return argo + [(one["chart"]["spec"]["chart"], one["values"]) for one in releases]


def kustomizations() -> set[str]:
    """Each folder that they build with kustomize."""
    sources = [one["spec"]["source"] for one in examples() if one["kind"] == "Application"]
    argo = {one["path"] for one in sources if "helm" not in one}
    return argo | {one["spec"]["path"] for one in examples() if one["kind"] == "Kustomization"}


@pytest.mark.api
def test_helm_takes_the_examples_values(tmp_path: Path) -> None:
    from e2e.cluster import build
    from e2e.cluster.shell import run
    from e2e.provider import tool

    assert len(charts()) == 2
    for path, values in charts():
        given = tmp_path / "values.yaml"
        given.write_text(yaml.safe_dump(values))
        command = [tool("helm", build.HELM), "template", "x", str(ROOT / path), f"--values={given}"]
        assert "registry.example.com/nlp/operator" in run(command, what="helm template")


@pytest.mark.api
@pytest.mark.usefixtures("optional_kinds")
def test_what_kustomize_builds_is_accepted(api: Api, namespace: str) -> None:
    assert kustomizations() == {"manifests/gitops/production"}
    for path in kustomizations():
        built = list(yaml.safe_load_all(api("kustomize", str(ROOT / path))))
        assert [one["kind"] for one in built] == ["Namespace", "SentimentService"]
        for one in built:
            if "namespace" in one["metadata"]:
                one["metadata"]["namespace"] = namespace
            api("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=one)
