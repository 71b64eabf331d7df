"""The status of a SentimentService, from what was seen. Pure: the time is given."""

import json
from typing import Any

from ..api.v1alpha1 import Owner
from ..render.metadata import selector
from ..render.service import url
from .conditions import (
    TROUBLES,
    Finding,
    Observed,
    being_deleted,
    first,
    model_report,
    not_made_yet,
    rolling_out,
    scaled_to_zero,
)

Manifest = dict[str, Any]
_MESSAGE_LIMIT = 1024


def compute_status(owner: Owner, generation: int, seen: Observed, previous: Manifest, now: str) -> Manifest:
    """The whole status. now: RFC 3339, used where a condition changes its status."""
    children = (seen.deployment or {}).get("status", {})
    status: Manifest = {
        "observedGeneration": generation,
        "conditions": _conditions(seen, generation, previous, now),
        "replicas": children.get("replicas", 0),
        "readyReplicas": children.get("readyReplicas", 0),
        "selector": ",".join(f"{name}={value}" for name, value in selector(owner).items()),
        "url": url(owner),
    }
    if model := _model(seen) or previous.get("model"):
        status["model"] = model
    return status


def _model(seen: Observed) -> Manifest | None:
    try:
        report = json.loads(model_report(seen) or "")
        return {"name": str(report["name"]), "digest": str(report["digest"])}
    except (ValueError, KeyError, TypeError):
        return None


def _conditions(seen: Observed, generation: int, previous: Manifest, now: str) -> list[Manifest]:
    trouble = first(TROUBLES, seen)
    waiting = first((being_deleted, not_made_yet, rolling_out), seen)
    asleep = scaled_to_zero(seen)
    available = ((seen.deployment or {}).get("status", {})).get("availableReplicas", 0)
    model = model_report(seen) is not None or available > 0
    states: dict[str, tuple[str, Finding]] = {}

    if trouble or waiting or asleep:
        states["Ready"] = ("False", trouble or waiting or asleep or _NOTHING)
    else:
        states["Ready"] = ("True", Finding("Ready", _answering(available)))
    states["Available"] = (
        ("True", Finding("PodsAnswer", _answering(available)))
        if available
        else ("False", asleep or trouble or Finding("NoPodAnswers", "No pod answers yet."))
    )
    states["ModelReady"] = (
        ("True", Finding("Installed", "The model was checked and is in the volume."))
        if model
        else ("False", trouble or Finding("Installing", "The model is being copied into the volume."))
    )
    states["Progressing"] = (
        ("True", waiting) if waiting else ("False", Finding("Settled", "Nothing is under way."))
    )
    states["Degraded"] = (
        ("True", trouble) if trouble else ("False", Finding("AsExpected", "Nothing is wrong."))
    )
    before = {condition["type"]: condition for condition in previous.get("conditions", ())}
    return [
        _condition(kind, state, found, generation, before.get(kind), now)
        for kind, (state, found) in states.items()
    ]


_NOTHING = Finding("Unknown", "")


def _answering(pods: int) -> str:
    return f"{pods} pod{'' if pods == 1 else 's'} answer{'s' if pods == 1 else ''}."


def _condition(
    kind: str, state: str, found: Finding, generation: int, before: Manifest | None, now: str
) -> Manifest:
    since = before["lastTransitionTime"] if before and before["status"] == state else now
    return {
        "type": kind,
        "status": state,
        "reason": found.reason,
        "message": found.message[:_MESSAGE_LIMIT],
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }


def transition(before: Manifest, after: Manifest) -> tuple[str, str, str] | None:
    """(event type, reason, message) when Ready changed its status or its reason, else None."""
    old, new = _ready(before), _ready(after)
    if new is None or (old and (old["status"], old["reason"]) == (new["status"], new["reason"])):
        return None
    degraded = any(c["type"] == "Degraded" and c["status"] == "True" for c in after["conditions"])
    return "Warning" if degraded else "Normal", new["reason"], new["message"]


def _ready(status: Manifest) -> Manifest | None:
    return next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), None)
