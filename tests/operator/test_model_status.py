"""What a user reads of a model for each thing that can go wrong."""

import ast
import json
import re
from typing import Any

import pytest
from sentiment_operator.api.v1alpha1 import SentimentModelSpec
from sentiment_operator.reconcile.conditions import Finding
from sentiment_operator.reconcile.model_conditions import Live, SeenModel
from sentiment_operator.reconcile.model_status import compute_model_status, package_in
from sentiment_operator.reconcile.remedies import REMEDIES

from .conftest import ROOT
from .objects import MODEL_OWNER

SPEC = SentimentModelSpec.model_validate({"source": {"bundled": {}}})
CREATED = "2026-01-01T00:00:00Z"
SOON, LATER = "2026-01-01T00:00:05Z", "2026-01-01T00:01:00Z"
WISH = "0a1b2c3d4e"
BOUND = {"kind": "PersistentVolumeClaim", "metadata": {"name": "reviews-model"}, "status": {"phase": "Bound"}}
DIGEST = "sha256:" + "ab" * 32


def job(wish: str = WISH, *conditions: tuple[str, str, str], at: str = CREATED) -> dict[str, Any]:
    told = [{"type": kind, "status": "True", "reason": r, "message": m} for kind, r, m in conditions]
    meta = {"name": f"reviews-{wish}", "creationTimestamp": CREATED}
    return {"kind": "Job", "metadata": meta, "status": {"conditions": told, "completionTime": at}}


def pod(created: str = CREATED, **state: Any) -> dict[str, Any]:
    status = {"containerStatuses": [{"name": "prepare", "state": state}]}
    return {"metadata": {"name": f"p-{created}", "creationTimestamp": created}, "status": status}


def ended(code: int, why: str = "Error", **report: Any) -> dict[str, Any]:
    text = json.dumps(report) if report else "Killed"
    return pod(terminated={"exitCode": code, "reason": why, "message": text})


def saw(made: dict[str, Any] | None = None, *pods: dict[str, Any], now: str = SOON, **more: Any) -> SeenModel:
    children = {"PersistentVolumeClaim": more.pop("claim", BOUND)} | ({"Job": made} if made else {})
    return SeenModel(children=children, pods=list(pods), spec=SPEC, wish=WISH, now=now, **more)


def status_of(seen: SeenModel, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    return compute_model_status(MODEL_OWNER, 1, seen, previous or {}, "now")


def told(seen: SeenModel) -> tuple[str, str, str]:
    """(reason of Ready, its message, the conditions that are true)."""
    conditions = {c["type"]: c for c in status_of(seen)["conditions"]}
    true = "+".join(name for name, c in conditions.items() if c["status"] == "True")
    return conditions["Ready"]["reason"], conditions["Ready"]["message"], true


DONE = ("Complete", "CompletionsReached", "")
FAILED = ("Failed", "PodFailurePolicy", "container failed with code 1")
NO_ANSWER: dict[str, Any] = {"reason": "SourceUnavailable", "message": "no answer.", "remedy": "x"}
EVICTED = {
    "reason": "Evicted",
    "message": "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
}
PENDING = {**BOUND, "status": {"phase": "Pending"}}


@pytest.mark.parametrize(
    ("seen", "reason", "words", "true"),
    [
        (saw(), "Creating", "are being made", "Progressing"),
        (saw(job(), claim=PENDING), "Preparing", "Claim reviews-model waits for its volume", "Progressing"),
        (saw(job(WISH, DONE)), "Prepared", "checked and in the volume", "Ready"),
        (saw(job(), now=LATER), "PodRefused", "kubectl describe job reviews-0a1b2c3d4e", "Degraded"),
        (saw(job(), warning="exceeded quota: q."), "PodRefused", "exceeded quota: q. Raise the", "Degraded"),
        (
            saw(job(), {**ended(137), "status": {**ended(137)["status"], **EVICTED}}),
            "Retrying",
            "Evicted: Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. Ask for",
            "Progressing",
        ),
        (
            saw(job(), ended(75, **NO_ANSWER)),
            "Retrying",
            "SourceUnavailable: no answer. C",
            "Progressing",
        ),
        (saw(job(), ended(137)), "Retrying", "It ended with code 137: Killed", "Progressing"),
        (saw(job(), ended(143, phase="Fetching")), "Retrying", "code 143 while Fetching", "Progressing"),
        (saw(job(), ended(137, why="OOMKilled")), "Retrying", "Raise spec.job.resources", "Progressing"),
        (
            saw(job(), ended(75, **NO_ANSWER), pod(LATER, running={})),
            "Preparing",
            "makes the package. The attempt before this one: SourceUnavailable: no answer. Check the network",
            "Progressing",
        ),
        (
            saw(job(WISH, FAILED), ended(1, reason="ChecksumMismatch", message="it has 1, 2 was expected")),
            "ChecksumMismatch",
            "To try again: change the spec, or `kubectl delete job reviews-0a1b2c3d4e`",
            "Degraded",
        ),
        (saw(job(WISH, FAILED)), "PreparationFailed", "container failed with code 1", "Degraded"),
        (
            saw(job(WISH, ("Failed", "DeadlineExceeded", ""))),
            "DeadlineExceeded",
            "spec.job.deadlineSeconds; raise it",
            "Degraded",
        ),
        (
            saw(
                job(),
                pod(waiting={"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}),
            ),
            "CreateContainerConfigError",
            'secret "x" not found',
            "Degraded",
        ),
        (saw(needs_image_volumes=True), "ImageVolumesMissing", "spec.source.pvc", "Degraded"),
        (saw(claim={**BOUND, "status": {"phase": "Lost"}}), "VolumeLost", "delete the claim", "Degraded"),
        (saw(problems=[Finding("ApplyFailed", "exceeded quota")]), "ApplyFailed", "quota", "Degraded"),
    ],
)
def test_each_trouble_has_a_reason_and_a_remedy(seen: SeenModel, reason: str, words: str, true: str) -> None:
    found = told(seen)
    assert (found[0], found[2]) == (reason, true)
    assert words in found[1]


def faults() -> dict[str, str]:
    """Reason → remedy on the command line, of every fault of the preparation."""
    found = {}
    for node in ast.parse((ROOT / "service/sentiment_models/faults.py").read_text()).body:
        if isinstance(node, ast.ClassDef):
            values = {ast.unparse(a.targets[0]): a.value for a in node.body if isinstance(a, ast.Assign)}
            found[ast.literal_eval(values["reason"])] = ast.literal_eval(values["remedy"])
    return found


def test_each_fault_of_the_preparation_becomes_a_condition_with_a_remedy() -> None:
    for reason, remedy in faults().items():
        report: dict[str, Any] = {
            "phase": "Failed",
            "reason": reason,
            "message": "it is so",
            "remedy": remedy,
        }
        found, message, true = told(saw(job(WISH, FAILED), ended(1, **report)))
        assert (found, true) == (reason, "Degraded")
        # A flag of the command line helps nobody who has a spec.
        assert re.match(r"it is so\. [A-Z].* To try again: ", message), message
        assert "--" not in message, message
    assert set(faults()) >= set(REMEDIES)


def test_each_fault_of_the_preparation_is_in_the_documentation() -> None:
    for page in ("docs/troubleshooting.md", "docs/how-to/prepare-a-model.md"):
        text = (ROOT / page).read_text()
        assert [reason for reason in faults() if f"`{reason}`" not in text] == [], page


def test_progress_is_kept_while_the_pod_can_not_be_asked() -> None:
    def progress(seen: SeenModel, previous: dict[str, Any]) -> tuple[str, int]:
        status = status_of(seen, previous)
        return status["phase"], status["progress"]

    before = {"job": f"reviews-{WISH}", "phase": "Fetching", "progress": 30}
    assert progress(saw(job()), before) == ("Fetching", 30)
    assert progress(saw(job(), live=Live("Judging", 70)), before) == ("Judging", 70)
    assert progress(saw(job(), live=Live("Nonsense", 70)), before) == ("Fetching", 30)
    assert progress(saw(job()), {**before, "job": "reviews-other"}) == ("Pending", 0)
    assert progress(saw(job(WISH, FAILED)), before) == ("Failed", 30)
    assert progress(saw(job()), {**before, "phase": "Failed"}) == ("Pending", 30)
    assert progress(saw(job(WISH, DONE)), before) == ("Ready", 100)


def package(
    jobs: list[dict[str, Any]], pods: list[dict[str, Any]], previous: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    return package_in(MODEL_OWNER, "v1", WISH, "torch", jobs, pods, previous)


def test_the_package_of_before_stays_until_the_new_one_is_there() -> None:
    old = {"path": "old", "volume": "v1", "digest": "x"}
    report: dict[str, Any] = {"digest": DIGEST, "bytes": 2048, "precision": "int8", "revision": "c0ffee"}
    facts: dict[str, Any] = {"digest": DIGEST, "shortDigest": "ab" * 6, "bytes": 2048, "size": "2.0Ki"}
    facts |= {"precision": "int8", "revision": "c0ffee"}
    before = {"accuracyPercent": 87.6, "accuracyInterval": [85.4, 89.9], "macroF1Percent": 87.5}
    for told in (report, facts):
        told |= {"before": before, "attempts": [{"precision": "int8", "dropInterval": [-0.3, 0.9]}]}
    done, ok = job(WISH, DONE), ended(0, **report)
    assert package([job()], [], old) == old
    known = {"path": WISH, "volume": "v1", "engine": "torch", **facts}
    assert package([done], [ok], old) == known
    # The pod is gone: what was known stays.
    assert package([done], [], known) == known
    assert package([done], [], old) == {"path": WISH, "volume": "v1", "engine": "torch"}
    # Another volume holds nothing of it.
    assert package([job()], [], {**old, "volume": "v0"}) is None
    # The status was lost: Jobs that ended well tell what is there, the newest counts.
    jobs = [job("older", DONE, at="2026-01-01T00:00:01Z"), job("newer", DONE, at="2026-01-02T00:00:00Z")]
    assert package([*jobs, job()], []) == {"path": "newer", "volume": "v1"}
    assert package([job("failed", FAILED)], []) is None


def test_a_report_is_believed_as_far_as_it_fits_the_schema() -> None:
    odd: dict[str, Any] = {
        "digest": DIGEST,
        "bytes": "many",
        "accuracyPercent": "all",
        "attempts": [1, {"precision": 8, "dropInterval": [1], "accuracyInterval": [1.5, "2"]}],
        "before": {"macroF1Percent": "x", "other": 1},
    }
    assert package([job(WISH, DONE)], [ended(0, **odd)]) == {
        "path": WISH, "volume": "v1", "engine": "torch", "digest": DIGEST, "shortDigest": "ab" * 6,
        "attempts": [{"precision": "8"}],
    }  # fmt: skip
