"""The status of a SentimentModel, from what was seen. Pure: the time is given."""

from collections.abc import Iterable
from typing import Any

from ..api.model_status import PHASES
from ..api.v1alpha1 import Owner
from ..render.job import job_name
from ..render.model import complete
from ..render.persistent_volume_claim import claim_name
from .conditions import Finding, condition_of, first
from .features import State
from .model_conditions import MODEL_TROUBLES, MODEL_WAITS, SeenModel, report_of
from .status import conditions_of

Manifest = dict[str, Any]
_MOST_NAMES = 100
_UNITS = ((1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))


def compute_model_status(
    owner: Owner, generation: int, seen: SeenModel, previous: Manifest, now: str
) -> Manifest:
    """The whole status. now: RFC 3339, used where a condition changes its status."""
    status: Manifest = {
        "observedGeneration": generation,
        "conditions": _conditions(seen, generation, previous, now),
        **_progress(seen, previous),
        "claim": claim_name(owner),
        "consumers": len(seen.consumers),
    }
    if seen.job:
        status["job"] = seen.job["metadata"]["name"]
    if seen.package:
        status["package"] = seen.package
    if seen.consumers:
        status["usedBy"] = list(seen.consumers[:_MOST_NAMES])
    return status


def _conditions(seen: SeenModel, generation: int, previous: Manifest, now: str) -> list[Manifest]:
    trouble, waiting = first(MODEL_TROUBLES, seen), first(MODEL_WAITS, seen)
    prepared = Finding("Prepared", "The package is checked and in the volume.")
    settled = Finding("Settled", "Nothing is under way.")
    blocker = trouble or waiting
    states = {
        "Ready": State("False", blocker) if blocker else State("True", prepared),
        "Progressing": State("True", waiting) if waiting and not trouble else State("False", settled),
        "Degraded": State("True", trouble)
        if trouble
        else State("False", Finding("AsExpected", "Nothing is wrong.")),
    }
    return conditions_of(states, generation, previous, now)


def _progress(seen: SeenModel, previous: Manifest) -> Manifest:
    """Phase and percent; what was known of the same Job stays while its pod can't be asked."""
    if seen.job and complete(seen.job):
        return {"phase": "Ready", "progress": 100}
    same = seen.job is not None and previous.get("job") == seen.job["metadata"]["name"]
    percent = previous.get("progress", 0) if same and previous.get("phase") != "Ready" else 0
    failed = condition_of(seen.job, "Failed")
    if failed and failed["status"] == "True":
        return {"phase": "Failed", "progress": percent}
    if seen.live and seen.live.phase in PHASES:
        return {"phase": seen.live.phase, "progress": seen.live.percent}
    before = previous.get("phase") if same else None
    return {"phase": "Pending" if before in (None, "Ready", "Failed") else before, "progress": percent}


def package_in(
    owner: Owner,
    volume: str,
    wish: str,
    engine: str,
    jobs: Iterable[Manifest],
    pods: Iterable[Manifest],
    previous: Manifest | None,
) -> Manifest | None:
    """The package that services are given: the wanted one as soon as its Job has ended well, else the last.

    volume: the claim's uid; what was known of another volume counts for nothing. engine: of the wanted one.
    """
    if previous and previous.get("volume") != volume:
        previous = None
    done = {made["metadata"]["name"]: made for made in jobs if complete(made)}
    if job_name(owner, wish) in done:
        report = next((found for pod in pods if (found := report_of(pod)).get("digest")), None)
        known = previous if previous and previous["path"] == wish else {}
        facts = _facts(report) if report else known
        return {**facts, "path": wish, "volume": volume, "engine": engine}
    if previous:
        return previous
    # The status was lost, as by a restore from a backup: Jobs tell what is in the volume.
    newest = max(done.values(), key=lambda made: str(made["status"].get("completionTime")), default=None)
    if newest is None:
        return None
    return {"path": newest["metadata"]["name"].removeprefix(f"{owner.name}-"), "volume": volume}


def _facts(report: dict[str, Any]) -> Manifest:
    """The report of a preparation that ended well, as the status has it. It is not trusted to be whole."""
    digest, size = str(report["digest"]), report.get("bytes")
    found: Manifest = {"digest": digest, "shortDigest": digest.removeprefix("sha256:")[:12]}
    found |= {name: str(report[name])[:253] for name in ("name", "revision", "precision") if report.get(name)}
    if isinstance(size, int):
        found |= {"bytes": size, "size": _for_people(size)}
    if isinstance(before := report.get("before"), dict) and (scores := _figures(before)):
        found["before"] = scores
    attempts = report.get("attempts")
    if isinstance(attempts, list) and (told := [_attempt(one) for one in attempts if isinstance(one, dict)]):
        found["attempts"] = told
    for name in ("accuracyPercent", "accuracyBeforePercent"):
        if isinstance(report.get(name), int | float):
            found[name] = report[name]
    return found


_INTERVALS = ("accuracyInterval", "dropInterval")
_FIGURES = (
    "accuracyPercent",
    "dropPoints",
    "macroF1Percent",
    "calibrationErrorPercent",
    "milliseconds",
    "speedup",
    "speedupPerPoint",
)


def _attempt(one: dict[str, Any]) -> Manifest:
    refused = {"refused": str(one["refused"])[:512]} if one.get("refused") else {}
    return {"precision": str(one.get("precision", "")), **_figures(one), **refused}


def _figures(one: dict[str, Any]) -> Manifest:
    found = {name: one[name] for name in _FIGURES if isinstance(one.get(name), int | float)}
    for name in _INTERVALS:
        sides = one.get(name)
        if isinstance(sides, list) and len(sides) == 2 and all(isinstance(s, int | float) for s in sides):
            found[name] = sides
    return found


def _for_people(size: int) -> str:
    for unit, letter in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f}{letter}"
    return str(size)
