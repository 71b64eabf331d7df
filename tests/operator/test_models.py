"""SentimentModels against a real API server and Job controller; the test stands for the kubelet."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from sentiment_operator.api.kinds import PROGRESS_PORT
from sentiment_operator.api.v1alpha1 import API_VERSION, MODEL_KIND

from .conftest import Api, KubectlError, Operator, wait_for
from .steps import alone, apply, exists, field, ready

pytestmark = pytest.mark.api
DIGEST = "sha256:" + "ab" * 32
REPORT: dict[str, Any] = {
    "phase": "Succeeded",
    "name": "mine",
    "digest": DIGEST,
    "precision": "int8",
    "bytes": 24117248,
    "revision": "c0ffee",
    "accuracyPercent": 86.1,
}
SOURCE = {"http": {"url": "http://models.example.com/m.tar"}}


def model(api: Api, namespace: str, name: str = "m", **spec: Any) -> None:
    given = {"source": SOURCE, **spec}
    made = {"apiVersion": API_VERSION, "kind": MODEL_KIND, "metadata": {"name": name}, "spec": given}
    api("-n", namespace, "apply", "--server-side", "-f", "-", stdin=made)


def status(api: Api, namespace: str, name: str = "m") -> dict[str, Any]:
    """Of the newest spec; empty before."""
    found = api.get("-n", namespace, "sentimentmodel", name)
    told: dict[str, Any] = found.get("status", {})
    return told if told.get("observedGeneration") == found["metadata"]["generation"] else {}


def reason(api: Api, namespace: str, name: str = "m") -> str:
    """Why the model is ready, or not."""
    found = [c for c in status(api, namespace, name).get("conditions", ()) if c["type"] == "Ready"]
    return str(found[0]["reason"]) if found else ""


def degraded(api: Api, namespace: str) -> str:
    """Why the model is degraded; empty when it is not."""
    found = [c for c in status(api, namespace).get("conditions", ()) if c["type"] == "Degraded"]
    return str(found[0]["reason"]) if found and found[0]["status"] == "True" else ""


def message(api: Api, namespace: str) -> str:
    return next(str(c["message"]) for c in status(api, namespace)["conditions"] if c["type"] == "Ready")


def jobs(api: Api, namespace: str) -> list[str]:
    found = api.get("-n", namespace, "jobs")["items"]
    return sorted(job["metadata"]["name"] for job in found if "deletionTimestamp" not in job["metadata"])


def pod_of(api: Api, namespace: str, job: str) -> str:
    """The pod that the Job controller made; the newest one that has not ended."""

    def alive() -> str:
        found = api.get("-n", namespace, "pods", "-l", f"job-name={job}")["items"]
        names = [p["metadata"]["name"] for p in found if p["status"]["phase"] not in ("Failed", "Succeeded")]
        return str(names[0]) if names else ""

    return str(wait_for("pod", alive))


def kubelet(api: Api, namespace: str, pod: str, phase: str, state: dict[str, Any], ip: str = "") -> None:
    """What a kubelet writes."""
    container = {"name": "prepare", "image": "models:1", "imageID": "", "ready": False, "restartCount": 0}
    told: dict[str, Any] = {"phase": phase, "containerStatuses": [{**container, "state": state}]}
    if ip:
        told |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    options = ["--subresource=status", "--type=merge", "--patch-file=/dev/stdin"]
    api("-n", namespace, "patch", "pod", pod, *options, stdin={"status": told})


def end(api: Api, namespace: str, code: int = 0, of: str = "m", **report: Any) -> str:
    """The pod of a model's wanted Job ends; the Job's name."""
    job = str(wait_for("job", lambda: status(api, namespace, of).get("job")))
    pod = pod_of(api, namespace, job)
    ended = {"exitCode": code, "message": json.dumps(report), "startedAt": None, "finishedAt": None}
    told = {name: value for name, value in ended.items() if value is not None}
    kubelet(api, namespace, pod, "Failed" if code else "Succeeded", {"terminated": told})
    return job


def prepared(api: Api, namespace: str, of: str = "m", **spec: Any) -> str:
    """A model with a package; its folder."""
    model(api, namespace, of, **spec)
    end(api, namespace, of=of, **REPORT)
    wait_for("package", lambda: reason(api, namespace, of) == "Prepared")
    return str(status(api, namespace, of)["package"]["path"])


def served(api: Api, namespace: str, name: str = "reviews", variable: str = "MODEL_DIR") -> str:
    """What a service is told to serve."""
    path = f'.spec.template.spec.containers[0].env[?(@.name=="{variable}")].value'
    return field(api, namespace, "deployment", name, path)


@pytest.mark.usefixtures("operator")
def test_a_model_becomes_a_claim_a_job_and_a_package(api: Api, namespace: str) -> None:
    model(api, namespace)
    wait_for("preparation", lambda: reason(api, namespace) == "Preparing")
    [job] = jobs(api, namespace)
    told = status(api, namespace)
    assert (told["phase"], told["progress"], told["job"], told["claim"]) == ("Pending", 0, job, "m-model")
    for kind, name in (("pvc", "m-model"), ("job", job)):
        assert field(api, namespace, kind, name, ".metadata.ownerReferences[0].name") == "m"
    tried = {"precision": "int8", "dropPoints": 0.2, "dropInterval": [-0.3, 0.9]}
    before = {"accuracyPercent": 87.6, "accuracyInterval": [85.4, 89.9], "macroF1Percent": 87.5}
    end(api, namespace, **REPORT, before=before, attempts=[{**tried, "refused": ""}])
    wait_for("package", lambda: reason(api, namespace) == "Prepared")
    told = status(api, namespace)
    assert (told["phase"], told["progress"], told["consumers"]) == ("Ready", 100, 0)
    package = told["package"]
    assert f"m-{package['path']}" == job
    assert (package["digest"], package["size"], package["accuracyPercent"]) == (DIGEST, "23.0Mi", 86.1)
    assert (package["before"], package["attempts"]) == (before, [tried])
    row = api("-n", namespace, "get", "smodel").splitlines()[1].split()
    assert row[:8] == ["m", "Ready", "100", "openvino", "int8", "23.0Mi", "86.1", "abababababab"]
    # The pod is gone, and with it the report: nothing is forgotten, and no Job runs again.
    api("-n", namespace, "delete", "pods", "--all", "--wait=true")
    api("-n", namespace, "annotate", "smodel", "m", "x=y")
    model(api, namespace, image={"pullPolicy": "Always"})
    wait_for("status", lambda: status(api, namespace).get("package") == package)
    assert jobs(api, namespace) == [job]


@pytest.mark.usefixtures("operator")
def test_services_wait_for_the_package_and_share_it(api: Api, namespace: str) -> None:
    reference = {"modelRef": {"name": "m"}}
    apply(api, namespace, model=reference)
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "ModelNotFound")
    model(api, namespace)
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "ModelPreparing")
    assert not exists(api, namespace, "deployment", "reviews")
    job = end(api, namespace, **REPORT)
    wait_for("deployment", lambda: exists(api, namespace, "deployment", "reviews"))
    apply(api, namespace, name="second", model=reference)
    wait_for("second deployment", lambda: exists(api, namespace, "deployment", "second"))
    path = job.removeprefix("m-")
    for name in ("reviews", "second"):
        assert served(api, namespace, name) == f"/models/{path}"
        claim = ".spec.template.spec.volumes[0].persistentVolumeClaim.claimName"
        assert field(api, namespace, "deployment", name, claim) == "m-model"
        assert not exists(api, namespace, "pvc", f"{name}-models")
    wait_for("consumers", lambda: status(api, namespace).get("usedBy") == ["reviews", "second"])
    assert jobs(api, namespace) == [job]
    told = api.get("-n", namespace, "ssvc", "reviews")["status"]
    assert told["model"] == {"name": "mine", "digest": DIGEST}
    api("-n", namespace, "delete", "ssvc", "second")
    wait_for("one consumer", lambda: status(api, namespace).get("consumers") == 1)


@pytest.mark.usefixtures("operator")
def test_a_service_is_rolled_only_when_the_new_package_passed(api: Api, namespace: str) -> None:
    first = prepared(api, namespace)
    apply(api, namespace, model={"modelRef": {"name": "m"}})
    wait_for("deployment", lambda: served(api, namespace) == f"/models/{first}")

    model(api, namespace, precision="fp32")
    wait_for("new job", lambda: len(jobs(api, namespace)) == 2)
    refused: dict[str, Any] = {
        "reason": "QualityGateFailed",
        "message": "int8: accuracy falls by 3 points",
        "remedy": "x",
    }
    end(api, namespace, 1, phase="Failed", **refused)
    wait_for("refusal", lambda: degraded(api, namespace) == "QualityGateFailed")
    assert "int8: accuracy falls by 3 points. Ask for a gentler spec.precision" in message(api, namespace)
    assert status(api, namespace)["phase"] == "Failed"
    assert status(api, namespace)["package"]["path"] == first

    wait_for("refusal", lambda: "The package of before is served" in degraded_service(api, namespace))
    assert "QualityGateFailed: int8: accuracy falls" in degraded_service(api, namespace)
    assert served(api, namespace) == f"/models/{first}"

    # Deleting the failed Job tries again.
    failed = status(api, namespace)["job"]
    uid = field(api, namespace, "job", failed, ".metadata.uid")
    api("-n", namespace, "delete", "job", failed)
    now = partial(field, api, namespace, "job", failed, ".metadata.uid")
    wait_for("another attempt", lambda: now() not in ("", uid))
    wait_for("attempt in the status", lambda: reason(api, namespace) == "Preparing")
    assert served(api, namespace) == f"/models/{first}"
    end(api, namespace, **REPORT)
    wait_for("roll-out", lambda: served(api, namespace) == f"/models/{failed.removeprefix('m-')}")
    wait_for("one job", lambda: jobs(api, namespace) == [failed])
    # The next Job is told what is in use: old pods are there still, for nobody runs the new ones, also while
    # the service waits for another model.
    apply(api, namespace, model={"modelRef": {"name": "another"}})
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "ModelNotFound")
    model(api, namespace, precision="bf16")
    wait_for("third job", lambda: len(jobs(api, namespace)) == 2)
    [newest] = set(jobs(api, namespace)) - {failed}
    arguments = field(api, namespace, "job", newest, ".spec.template.spec.containers[0].args")
    assert set(re.findall("--keep=([0-9a-f]+)", arguments)) == {first, failed.removeprefix("m-")}
    # What a refused preparation left is not in use, though its pod is still there.
    end(api, namespace, 1, phase="Failed", **refused)
    wait_for("refusal", lambda: degraded(api, namespace) == "QualityGateFailed")
    model(api, namespace, precision="int8")
    wait_for("fourth job", lambda: status(api, namespace)["job"] not in ("", newest))
    arguments = field(
        api, namespace, "job", status(api, namespace)["job"], ".spec.template.spec.containers[0].args"
    )
    assert set(re.findall("--keep=([0-9a-f]+)", arguments)) == {first, failed.removeprefix("m-")}
    # Back to what is in the volume: nothing runs, and the Job that is no longer wanted goes.
    model(api, namespace, precision="fp32")
    wait_for("old wish", lambda: reason(api, namespace) == "Prepared")
    wait_for("one job", lambda: jobs(api, namespace) == [failed])


@pytest.mark.usefixtures("operator")
def test_a_service_of_several_models_serves_what_is_prepared_and_loses_none(api: Api, namespace: str) -> None:
    def models() -> str:
        return served(api, namespace, variable="MODELS")

    def waits_for(why: str) -> str:
        wait_for(why, lambda: ready(api, namespace).get("reason") == why)
        return str(ready(api, namespace)["message"])

    several = [{"name": "a", "modelRef": {"name": "m"}}, {"name": "b", "modelRef": {"name": "n"}}]
    first = f"a=/models/a/{prepared(api, namespace)}"
    apply(api, namespace, models=several)
    assert "no SentimentModel n" in waits_for("ModelNotFound")
    wait_for("deployment", lambda: models() == first)
    model(api, namespace, "n")
    assert "SentimentModel n is being prepared" in waits_for("ModelPreparing")
    both = f"{first},b=/models/b/{end(api, namespace, of='n', **REPORT).removeprefix('n-')}"
    wait_for("both", lambda: models() == both)
    volumes = ".spec.template.spec.volumes[*].persistentVolumeClaim.claimName"
    assert field(api, namespace, "deployment", "reviews", volumes) == "m-model n-model"
    assert not exists(api, namespace, "pvc", "reviews-models")

    def users() -> list[list[str]]:
        return [status(api, namespace, name).get("usedBy", []) for name in ("m", "n")]

    wait_for("consumers", lambda: users() == [["reviews"], ["reviews"]])

    def row() -> list[str]:
        return api("-n", namespace, "get", "ssvc").splitlines()[1].split()

    wait_for("column", lambda: "a,b" in row())
    assert api.get("-n", namespace, "ssvc", "reviews")["status"]["models"] == [
        {"name": "a", "model": "m", "digest": DIGEST},
        {"name": "b", "model": "n", "digest": DIGEST},
    ]
    # One of them gets worse, is replaced by one that is not there, and is deleted: both are served still.
    model(api, namespace, "n", precision="fp32")
    wait_for("second wish", lambda: reason(api, namespace, "n") == "Preparing")
    end(api, namespace, 1, of="n", phase="Failed", reason="ChecksumMismatch", message="no")
    wait_for("refusal", lambda: "ModelUpdateFailed" in degraded_service(api, namespace))
    apply(api, namespace, models=[several[0], {"name": "b", "modelRef": {"name": "gone"}}])
    assert "Pods stay as they are" in waits_for("ModelNotFound")
    assert models() == both
    # Whoever takes it out of the list means it.
    apply(api, namespace, models=several[:1])
    wait_for("one", lambda: models() == first)
    wait_for("no consumer", lambda: status(api, namespace, "n").get("consumers") == 0)


def degraded_service(api: Api, namespace: str) -> str:
    found = api.get("-n", namespace, "ssvc", "reviews")["status"]["conditions"]
    return next(f"{one['reason']}: {one['message']}" for one in found if one["type"] == "Degraded")


@pytest.mark.usefixtures("operator")
def test_a_job_that_can_not_run_is_made_anew_with_a_better_spec(api: Api, namespace: str) -> None:
    model(api, namespace)
    job = str(wait_for("job", lambda: status(api, namespace).get("job")))
    uid = field(api, namespace, "job", job, ".metadata.uid")
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    kubelet(api, namespace, pod_of(api, namespace, job), "Pending", {"waiting": waiting})
    wait_for("condition", lambda: degraded(api, namespace) == "ImagePullBackOff")
    model(api, namespace, image={"reference": "models:2"})
    image = partial(field, api, namespace, "job", job, ".spec.template.spec.containers[0].image")
    wait_for("new job of the same name", lambda: image() == "models:2")
    assert field(api, namespace, "job", job, ".metadata.uid") != uid


@pytest.mark.usefixtures("operator")
def test_a_quota_that_refuses_the_jobs_pod_is_named(api: Api, namespace: str) -> None:
    api("-n", namespace, "create", "quota", "none", "--hard=pods=0")
    wait_for("quota", lambda: api.get("-n", namespace, "quota", "none").get("status", {}).get("hard"))
    model(api, namespace)
    wait_for("condition", lambda: degraded(api, namespace) == "PodRefused")
    assert "exceeded quota: none" in message(api, namespace)
    assert "Raise the quota" in message(api, namespace)


@pytest.mark.usefixtures("operator")
def test_a_job_that_filled_its_volume_tries_again_in_a_larger_one(api: Api, namespace: str) -> None:
    model(api, namespace, storage={"size": "1Gi"})
    job = end(api, namespace, 1, phase="Failed", reason="StorageFull", message="no space is left")
    wait_for("condition", lambda: degraded(api, namespace) == "StorageFull")
    assert "no space is left. Raise spec.storage.size" in message(api, namespace)
    uid = field(api, namespace, "job", job, ".metadata.uid")
    model(api, namespace, storage={"size": "2Gi"})
    now = partial(field, api, namespace, "job", job, ".metadata.uid")
    wait_for("another attempt", lambda: now() not in ("", uid))


@contextmanager
def progress_server(address: str, told: dict[str, Any]) -> Iterator[None]:
    """A pod's own server, on an address of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer((address, PROGRESS_PORT), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()


@pytest.mark.usefixtures("operator")
def test_progress_is_asked_from_the_pod(api: Api, namespace: str) -> None:
    model(api, namespace)
    job = str(wait_for("job", lambda: status(api, namespace).get("job")))
    told = {"phase": "Fetching", "percent": 17, "secret": "x"}
    with progress_server("127.81.7.9", told):
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        kubelet(api, namespace, pod_of(api, namespace, job), "Running", running, "127.81.7.9")
        wait_for("progress", lambda: status(api, namespace).get("progress") == 17)
        assert status(api, namespace)["phase"] == "Fetching"
        told.update(phase="Judging", percent=80)
        wait_for("progress", lambda: status(api, namespace).get("progress") == 80)
        told.update(phase="Nonsense" * 10, percent=900)  # whatever a pod says
    assert status(api, namespace)["phase"] == "Judging"


@pytest.mark.usefixtures("operator")
def test_a_service_that_must_spread_is_refused_a_volume_of_one_node(api: Api, namespace: str) -> None:
    first = prepared(api, namespace)
    strict = {"antiAffinity": "Required"}
    apply(api, namespace, model={"modelRef": {"name": "m"}}, availability=strict)
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "ModelOnOneNode")
    assert "accessMode ReadWriteMany" in ready(api, namespace)["message"]
    apply(api, namespace, model={"modelRef": {"name": "m"}}, availability={"antiAffinity": "Preferred"})
    wait_for("deployment", lambda: served(api, namespace) == f"/models/{first}")
    label = ".spec.template.metadata.labels.model\\.sentiment-operator\\.io/m"
    assert field(api, namespace, "deployment", "reviews", label) == first


@pytest.mark.usefixtures("operator")
def test_pods_are_given_no_package_that_their_engine_cannot_run(api: Api, namespace: str) -> None:
    first = prepared(api, namespace)
    apply(api, namespace, model={"modelRef": {"name": "m"}}, serving={"engine": "openvino"})
    wait_for("deployment", lambda: served(api, namespace) == f"/models/{first}")
    model(api, namespace, engine="torch")
    wait_for("new job", lambda: len(jobs(api, namespace)) == 2)
    end(api, namespace, **{**REPORT, "precision": ""})
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "EngineMismatch")
    package = status(api, namespace)["package"]
    assert (package["engine"], "precision" in package) == ("torch", False)
    assert served(api, namespace) == f"/models/{first}"
    apply(api, namespace, model={"modelRef": {"name": "m"}}, serving={"engine": "torch"})
    wait_for("roll-out", lambda: served(api, namespace) == f"/models/{package['path']}")


@pytest.mark.usefixtures("operator")
def test_the_services_own_claim_goes_with_the_last_pod_that_mounts_it(api: Api, namespace: str) -> None:
    apply(api, namespace, replicas=0)
    wait_for("claim", lambda: exists(api, namespace, "pvc", "reviews-models"))
    wait_for("deployment", lambda: served(api, namespace) == "/models/bundled")
    apply(api, namespace, replicas=0, model={"modelRef": {"name": "m"}})
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "ModelNotFound")
    assert exists(api, namespace, "pvc", "reviews-models")
    path = prepared(api, namespace)
    wait_for("deployment", lambda: served(api, namespace) == f"/models/{path}")
    wait_for("no claim", lambda: not exists(api, namespace, "pvc", "reviews-models"))
    apply(api, namespace, replicas=0)
    wait_for("deployment", lambda: served(api, namespace) == "/models/bundled")
    wait_for("claim", lambda: exists(api, namespace, "pvc", "reviews-models"))


@pytest.mark.usefixtures("operator")
def test_a_deleted_model_leaves_services_as_they_are_and_a_retained_claim_is_taken_up(
    api: Api, namespace: str
) -> None:
    storage = {"retain": True}
    path = prepared(api, namespace, storage=storage)
    apply(api, namespace, model={"modelRef": {"name": "m"}})
    wait_for("deployment", lambda: served(api, namespace) == f"/models/{path}")
    api("-n", namespace, "delete", "smodel", "m")
    wait_for("condition", lambda: ready(api, namespace).get("reason") == "ModelNotFound")
    wait_for("no job", lambda: jobs(api, namespace) == [])
    assert served(api, namespace) == f"/models/{path}"
    assert exists(api, namespace, "pvc", "m-model")
    # The Job finds the package; services are not rolled.
    assert prepared(api, namespace, storage=storage) == path
    assert served(api, namespace) == f"/models/{path}"


def test_a_restart_forgets_nothing_and_a_settled_model_makes_no_call(
    api: Api, operator: Operator, namespace: str
) -> None:
    path = prepared(api, namespace)
    model(api, namespace, precision="int8")
    wait_for("second job", lambda: len(jobs(api, namespace)) == 2)
    end(api, namespace, 1, phase="Failed", reason="SourceNotFound", message="gone", remedy="x")
    wait_for("refusal", lambda: degraded(api, namespace) == "SourceNotFound")
    alone(api)
    operator.stop()
    operator.start()
    passes = operator.passes()
    api("-n", namespace, "annotate", "smodel", "m", "x=y")
    wait_for("pass", lambda: operator.passes() > passes)
    assert operator.writes() == 0
    assert status(api, namespace)["package"]["path"] == path


def test_what_a_model_may_not_change(api: Api, namespace: str) -> None:
    model(api, namespace)
    with pytest.raises(KubectlError, match="delete the SentimentModel and create it again"):
        model(api, namespace, storage={"accessMode": "ReadWriteMany"})
