"""What a user reads for each thing that can go wrong."""

from typing import Any

import pytest
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.reconcile.conditions import Finding, Observed
from sentiment_operator.reconcile.status import transition

from .objects import child, deployment, pod, waiting
from .seen import GOOD, STARTING, condition, conditions, message, saw, spec_of, status_of


def unscheduled(text: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
    return pod(conditions=[condition])


def test_all_is_well() -> None:
    assert conditions(saw(GOOD)) == {
        "Ready": ("True", "Ready"),
        "Available": ("True", "PodsAnswer"),
        "ModelReady": ("True", "Installed"),
        "Progressing": ("False", "Settled"),
        "Degraded": ("False", "AsExpected"),
    }


CRASHED = {"exitCode": 2, "message": "QUEUE_LIMIT: too small\n"}
CRASH = waiting("server", "CrashLoopBackOff", "back-off", CRASHED)
OOM = waiting("server", "CrashLoopBackOff", "back-off", {"reason": "OOMKilled", "exitCode": 137})
INSTALLED = {"name": "model", "state": {"terminated": {"exitCode": 0, "message": "{}"}}}
CRASHING = saw(STARTING, pods=[pod(containerStatuses=[CRASH])])
NO_IMAGE = waiting("model", "ImagePullBackOff", "no x")
PENDING = child("PersistentVolumeClaim", "reviews-models", status={"phase": "Pending"})
QUOTA = [condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: small")]
LATE = [condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")]


@pytest.mark.parametrize(
    ("seen", "reason", "words"),
    [
        (saw(), "Creating", "children were applied"),
        (saw(STARTING), "Starting", "0 of 1 pods answer"),
        (saw(deployment(replicas=2, updatedReplicas=1)), "RollingOut", "1 of 1 pods are of"),
        (
            saw(STARTING, pods=[pod(initContainerStatuses=[NO_IMAGE])]),
            "ImagePullBackOff",
            "container model: no x",
        ),
        (
            saw(STARTING, pods=[pod(containerStatuses=[CRASH])]),
            "CrashLoopBackOff",
            "code 2: QUEUE_LIMIT",
        ),
        (
            saw(STARTING, pods=[pod(containerStatuses=[OOM])]),
            "OOMKilled",
            "raise it",
        ),
        (
            saw(STARTING, PENDING, pods=[unscheduled("0/1 nodes are available")]),
            "Unschedulable",
            "claim reviews-models is pending",
        ),
        (saw(deployment(conditions=QUOTA)), "FailedCreate", "exceeded quota"),
        (saw(deployment(conditions=LATE)), "ProgressDeadlineExceeded", "timed out"),
        (
            saw(GOOD, child("PersistentVolumeClaim", "reviews-models", status={"phase": "Lost"})),
            "VolumeLost",
            "delete the claim",
        ),
        (
            saw(GOOD, problems=[Finding("NameTaken", "Service reviews exists")]),
            "NameTaken",
            "Service reviews exists",
        ),
        (
            saw(deployment(), spec=SentimentServiceSpec(replicas=0)),
            "ScaledToZero",
            "set it to 1 or more",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_the_cause_is_lifted_up(seen: Observed, reason: str, words: str) -> None:
    assert conditions(seen)["Ready"] == ("False", reason)
    assert words in message(seen)


def running(container: str, *, ready: bool, **last: Any) -> dict[str, Any]:
    """A container that runs and has started."""
    ended = {"lastState": {"terminated": last}} if last else {}
    return {"name": container, "state": {"running": {}}, "started": True, "ready": ready, **ended}


OOM_AGAIN = running("server", ready=False, reason="OOMKilled", exitCode=137)
RECOVERED = running("server", ready=True, reason="Error", exitCode=1)


@pytest.mark.parametrize(
    ("statuses", "reason", "words"),
    [
        ([{"name": "server", "state": {"terminated": CRASHED}}], "CrashLoopBackOff", "QUEUE_LIMIT"),
        ([running("server", ready=False, **CRASHED)], "CrashLoopBackOff", "ended with code 2"),
        ([OOM_AGAIN], "OOMKilled", "raise it"),
        ([RECOVERED], "Starting", "0 of 1 pods answer."),
        ([waiting("server", "ErrImagePull", "no x")], "ImagePullBackOff", "no x"),
        ([waiting("server", "CreateContainerConfigError", 'secret "t" not found')], None, '"t" not found'),
        ([running("server", ready=False)], "Starting", "its model is not ready"),
        ([running("model", ready=False)], "Starting", "puts the model into the volume"),
        ([waiting("server", "ContainerCreating")], "Starting", "0 of 1 pods answer."),
    ],
)
def test_one_reason_through_all_stages_of_a_trouble(
    statuses: list[dict[str, Any]], reason: str | None, words: str
) -> None:
    seen = saw(STARTING, pods=[pod(containerStatuses=statuses)])
    assert conditions(seen)["Ready"] == ("False", reason or "CreateContainerConfigError")
    assert words in message(seen)


def test_an_evicted_pod_says_nothing_of_the_one_that_took_its_place() -> None:
    """Kubernetes keeps it as a record."""
    gone = {"name": "server", "state": {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}}
    evicted = pod("reviews-0", phase="Failed", reason="Evicted", containerStatuses=[gone])
    seen = saw(GOOD, pods=[evicted, pod(phase="Running", containerStatuses=[running("server", ready=True)])])
    assert conditions(seen)["Ready"] == ("True", "Ready")
    assert conditions(seen)["Degraded"] == ("False", "AsExpected")


def test_a_missing_secret_is_named_while_pods_wait() -> None:
    spec = spec_of(access={"apiKeysSecretRef": {"name": "callers", "key": "keys"}})
    seen = saw(STARTING, spec=spec, pods=[pod(containerStatuses=[waiting("server", "ContainerCreating")])])
    assert "Secret callers must have the key keys" in message(seen)


def test_a_pending_claim_is_named() -> None:
    assert "Claim reviews-models waits for its volume" in message(saw(STARTING, PENDING))


def test_an_unknown_model_is_said_and_pods_go_on() -> None:
    seen = saw(GOOD, spec=spec_of(model={"modelRef": {"name": "v2"}}))
    found = conditions(seen)
    assert found["Ready"] == found["ModelReady"] == ("False", "ModelNotFound")
    assert found["Available"] == ("True", "PodsAnswer")
    assert "SentimentModel v2" in message(seen)


def sentiment_model(name: str, digest: str = "", refused: str = "", **facts: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"package": {"path": "0a", "digest": digest, **facts}} if digest else {}
    if refused:
        status["conditions"] = [condition("Degraded", "True", refused, "no")]
    return {"metadata": {"name": name, "namespace": "shop", "uid": name}, "spec": {}, "status": status}


SEVERAL = spec_of(models=[{"name": name, "modelRef": {"name": f"{name}-v2"}} for name in ("a", "b", "c")])
A, B, C = (sentiment_model(f"{name}-v2", f"sha256:{name}") for name in "abc")


@pytest.mark.parametrize(
    ("models", "reason", "degraded", "words"),
    [
        ([A, B, C], "Ready", "AsExpected", "1 pod answers"),
        ([A, C], "ModelNotFound", "ModelNotFound", "no SentimentModel b-v2"),
        ([A, C], "ModelNotFound", "ModelNotFound", "or remove b from spec.models. The other models are"),
        ([B, C], "ModelNotFound", "ModelNotFound", "Pods stay as they are"),
        ([A, sentiment_model("b-v2"), C], "ModelPreparing", "AsExpected", "SentimentModel b-v2 is being"),
        ([A, sentiment_model("b-v2", refused="NoSpace"), C], "ModelFailed", "ModelFailed", "b-v2: NoSpace"),
        ([A, B, sentiment_model("c-v2", "d", "Bad")], "Ready", "ModelUpdateFailed", "1 pod answers"),
    ],
)
def test_of_several_models_the_one_that_is_not_ready_is_named(
    models: list[dict[str, Any]], reason: str, degraded: str, words: str
) -> None:
    seen = saw(GOOD, spec=SEVERAL, models=models)
    found = conditions(seen)
    assert (found["Ready"][1], found["Degraded"][1]) == (reason, degraded)
    assert found["ModelReady"][0] == found["Ready"][0]
    assert found["Available"] == ("True", "PodsAnswer")
    assert words in message(seen)
    if degraded == "ModelUpdateFailed":
        assert "SentimentModel c-v2: Bad: no" in message(seen, "Degraded")


@pytest.mark.parametrize(("wanted", "refused"), [("torch", "b-v2"), ("openvino", "c-v2"), ("auto", "")])
def test_a_package_for_another_engine_is_named_and_pods_go_on(wanted: str, refused: str) -> None:
    engines = {"b-v2": "openvino", "c-v2": "torch"}  # of a-v2 it is not known
    models = [sentiment_model(name, "sha256:1", engine=engine) for name, engine in engines.items()]
    spec = SEVERAL.model_copy(update={"serving": spec_of(serving={"engine": wanted}).serving})
    seen = saw(GOOD, spec=spec, models=[A, *models])
    found = conditions(seen)
    assert found["Ready"] == (("False", "EngineMismatch") if refused else ("True", "Ready"))
    assert found["ModelReady"][0] == found["Ready"][0]
    assert found["Available"] == ("True", "PodsAnswer")
    if refused:
        assert f"is {wanted}, and the package of SentimentModel {refused} is for" in message(seen)
        assert f"prepared for {wanted} (its spec.engine). Pods stay as they are." in message(seen)


def test_volumes_of_several_models_on_different_nodes_are_named() -> None:
    apart = unscheduled("2 node(s) didn't match PersistentVolume's node affinity.")
    found = message(saw(STARTING, spec=SEVERAL, models=[A, B, C], pods=[apart]))
    assert "PersistentVolume's node affinity. The volumes of SentimentModels a-v2, b-v2, c-v2 are" in found
    assert "accessMode ReadWriteMany" in found


def test_the_status_lists_the_models_that_have_a_package() -> None:
    found = status_of(saw(GOOD, spec=SEVERAL, models=[A, C]))
    assert found["model"] == {"name": "a,c"}
    assert found["models"] == [
        {"name": "a", "model": "a-v2", "digest": "sha256:a"},
        {"name": "c", "model": "c-v2", "digest": "sha256:c"},
    ]


def test_scaling_up_is_not_unready() -> None:
    scaled = spec_of(autoscaling={"type": "HPA"})
    growing = deployment(replicas=5, updatedReplicas=5, availableReplicas=3)
    growing["spec"] = {"replicas": 5}
    assert conditions(saw(growing, spec=scaled))["Ready"] == ("True", "Ready")
    growing["status"]["availableReplicas"] = 1
    assert conditions(saw(growing, spec=scaled))["Ready"] == ("False", "Starting")
    assert conditions(saw(growing))["Ready"] == ("False", "Starting")


def test_starting_is_not_degraded_and_a_crash_is() -> None:
    ordinary = pod(containerStatuses=[waiting("server", "ContainerCreating")])
    assert conditions(saw(STARTING, pods=[ordinary]))["Degraded"][0] == "False"
    crashing = pod(containerStatuses=[CRASH])
    assert conditions(saw(STARTING, pods=[crashing]))["Degraded"] == ("True", "CrashLoopBackOff")


def test_a_child_that_is_going_is_waited_for() -> None:
    going = child("Deployment", status={"observedGeneration": 1})
    going["metadata"]["deletionTimestamp"] = "now"
    assert conditions(saw(going))["Progressing"] == ("True", "WaitingForDeletion")


def test_the_model_is_the_one_that_the_newest_pod_reports() -> None:
    def reporting(name: str, created: str, digest: str) -> dict[str, Any]:
        ended = {"exitCode": 0, "message": f'{{"name": "tiny", "digest": "{digest}"}}'}
        return pod(name, created, initContainerStatuses=[{"name": "model", "state": {"terminated": ended}}])

    pods = [
        reporting("a", "2026-01-02T00:00:00Z", "sha256:new"),
        reporting("b", "2026-01-01T00:00:00Z", "sha256:old"),
    ]
    found = status_of(saw(STARTING, pods=pods))
    assert found["model"] == {"name": "tiny", "digest": "sha256:new"}
    kept = status_of(saw(STARTING), previous=found)
    assert kept["model"] == found["model"]


def test_time_changes_only_with_the_status() -> None:
    first = status_of(saw(STARTING), now="1")
    later = status_of(saw(STARTING), first, now="2")
    assert later == first
    ready = status_of(saw(GOOD), first, now="3")
    times = {c["type"]: c["lastTransitionTime"] for c in ready["conditions"]}
    assert (times["Ready"], times["Degraded"]) == ("3", "1")


def test_events_come_on_transitions_only() -> None:
    starting = status_of(saw(STARTING), now="1")
    ready = status_of(saw(GOOD), starting, now="2")
    assert transition({}, starting) is None
    assert transition(status_of(saw()), starting) is None, "one step of a start to the next"
    refused = status_of(saw(problems=[Finding("ApplyFailed", "no")]), now="1")
    assert transition({}, refused) == ("Warning", "ApplyFailed", "no")
    allowed = status_of(saw(GOOD), refused, now="2")
    assert transition(refused, allowed) == ("Normal", "Ready", "1 pod answers.")
    assert transition(ready, ready) is None
    crashed = status_of(saw(STARTING, pods=[pod(containerStatuses=[CRASH])]), ready, now="3")
    found = transition(ready, crashed)
    assert found is not None
    assert found[:2] == ("Warning", "CrashLoopBackOff")


def test_the_end_of_an_ordinary_start_is_no_event_and_a_recovery_is() -> None:
    first = status_of(saw(), now="1")
    installed = status_of(saw(STARTING, pods=[pod(initContainerStatuses=[INSTALLED])]), first, now="2")
    ready = status_of(saw(GOOD), installed, now="3")
    assert [transition(*pair) for pair in (({}, first), (first, installed), (installed, ready))] == [None] * 3
    lost = status_of(saw(STARTING), ready, now="4")
    back = status_of(saw(GOOD), lost, now="5")
    assert transition(ready, lost) == ("Normal", "Starting", "0 of 1 pods answer.")
    assert transition(lost, back) == ("Normal", "Ready", "1 pod answers.")


def test_a_start_with_trouble_is_told_to_its_end() -> None:
    first = status_of(saw(), now="1")
    crashing = status_of(CRASHING, first, now="2")
    again = status_of(saw(STARTING), crashing, now="3")
    ready = status_of(saw(GOOD), again, now="4")
    told = [transition(*pair) for pair in ((first, crashing), (crashing, again), (again, ready))]
    assert [event and event[:2] for event in told] == [
        ("Warning", "CrashLoopBackOff"),
        ("Normal", "Starting"),
        ("Normal", "Ready"),
    ]


def test_a_long_message_is_cut() -> None:
    seen = saw(GOOD, problems=[Finding("ApplyFailed", "x" * 5000)])
    assert len(message(seen)) == 1024
