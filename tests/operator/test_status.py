"""What a user reads for each thing that can go wrong."""

from collections.abc import Sequence
from typing import Any

import pytest
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.reconcile.conditions import Finding, Observed
from sentiment_operator.reconcile.status import compute_status, transition

from .objects import OWNER, child, deployment, pod, waiting

SPEC = SentimentServiceSpec.model_validate({})
GOOD = deployment(replicas=1, updatedReplicas=1, readyReplicas=1, availableReplicas=1)
STARTING = deployment(replicas=1, updatedReplicas=1)


def saw(
    *children: dict[str, Any],
    spec: SentimentServiceSpec = SPEC,
    pods: Sequence[dict[str, Any]] = (),
    problems: Sequence[Finding] = (),
) -> Observed:
    return Observed(spec, {made["kind"]: made for made in children}, list(pods), list(problems))


def status_of(seen: Observed, previous: dict[str, Any] | None = None, now: str = "now") -> dict[str, Any]:
    return compute_status(OWNER, 1, seen, previous or {}, now)


def conditions(seen: Observed) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status_of(seen)["conditions"]}


def message(seen: Observed, kind: str = "Ready") -> str:
    return next(str(c["message"]) for c in status_of(seen)["conditions"] if c["type"] == kind)


def unscheduled(text: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
    return pod(conditions=[condition])


def condition(kind: str, status: str, reason: str, text: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": text}


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
    starting = status_of(saw(STARTING))
    ready = status_of(saw(GOOD), starting)
    assert transition({}, starting) == ("Normal", "Starting", "0 of 1 pods answer.")
    assert transition(starting, ready) == ("Normal", "Ready", "1 pod answers.")
    assert transition(ready, ready) is None
    crashed = status_of(saw(STARTING, pods=[pod(containerStatuses=[CRASH])]), ready)
    found = transition(ready, crashed)
    assert found is not None
    assert found[:2] == ("Warning", "CrashLoopBackOff")


def test_a_long_message_is_cut() -> None:
    seen = saw(GOOD, problems=[Finding("ApplyFailed", "x" * 5000)])
    assert len(message(seen)) == 1024
