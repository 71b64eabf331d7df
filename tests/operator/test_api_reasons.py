"""A service's status has its pods' own words five seconds after they can be seen, on a real API server."""

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Api, wait_for
from .steps import apply, children_made, ready

pytestmark = pytest.mark.api
PROMISED_SECONDS = 5.0
_STARTED = "2026-01-01T00:00:00Z"


def _waiting(reason: str, message: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def _server(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    container = {"name": "server", "image": "service:1", "imageID": "", "ready": False, "restartCount": 0}
    scheduled = [{"type": "PodScheduled", "status": "True"}]
    return {"conditions": scheduled, "containerStatuses": [{**container, "state": state, **more}]}


def _not_scheduled(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"conditions": [condition], "containerStatuses": None}


# What a kubelet or the scheduler writes into the pod, the service's reason, and words of its message.
STAGES: tuple[tuple[dict[str, Any], str, str], ...] = (
    (_not_scheduled("0/3 nodes are available: 3 Insufficient memory."), "Unschedulable", "Insufficient mem"),
    (
        _not_scheduled("0/3 nodes are available: no volume."),
        "Unschedulable",
        "claim reviews-models is pending",
    ),
    (_server(_waiting("ImagePullBackOff", "pull access denied")), "ImagePullBackOff", "pull access denied"),
    (
        _server(
            _waiting("CrashLoopBackOff", "back-off 10s"),
            lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        ),
        "OOMKilled",
        "spec.resources.limits.memory",
    ),
    (
        _server({"running": {"startedAt": _STARTED}}, started=True),
        "Starting",
        "its model is not ready",
    ),
)


@pytest.mark.usefixtures("operator")
def test_the_pods_own_reason_is_in_the_status_in_five_seconds(api: Api, namespace: str) -> None:
    apply(api, namespace, replicas=1)
    wait_for("children", lambda: children_made(api, namespace))
    pod = wait_for("pod", lambda: api("-n", namespace, "get", "pods", "-o", "name").strip())
    wait_for("first status", lambda: ready(api, namespace))
    tell = ["-n", namespace, "patch", pod, "--subresource=status", "--type=merge", "--patch-file=/dev/stdin"]
    for status, reason, words in STAGES:
        api(*tell, stdin={"status": status})
        _soon(reason, words, lambda: ready(api, namespace))


@pytest.mark.usefixtures("operator")
def test_a_quota_is_in_the_status_in_five_seconds(api: Api, namespace: str) -> None:
    api("-n", namespace, "create", "quota", "none", "--hard=pods=0")
    wait_for("quota", lambda: api.get("-n", namespace, "quota", "none").get("status", {}).get("hard"))
    apply(api, namespace, replicas=1)

    def refused() -> bool:
        found = api("-n", namespace, "get", "deployment", "reviews", "--ignore-not-found", "-o", "yaml")
        return "ReplicaFailure" in found

    wait_for("refusal", refused)
    _soon("FailedCreate", "exceeded quota: none", lambda: ready(api, namespace))


def _soon(reason: str, words: str, told: Callable[[], dict[str, Any]]) -> None:
    def right() -> bool:
        found = told()
        return found.get("reason") == reason and words in found["message"]

    wait_for(f"{reason}: {words}", right, PROMISED_SECONDS)
