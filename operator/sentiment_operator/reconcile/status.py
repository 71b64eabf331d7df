"""The status of a SentimentService, from what was seen. Pure: the time is given."""

import json
from collections.abc import Mapping
from typing import Any

from ..api.v1alpha1 import Owner
from ..render.metadata import selector
from ..render.service import url
from .conditions import (
    TROUBLES,
    Finding,
    Observed,
    being_deleted,
    condition_of,
    engine_mismatch,
    first,
    may_sleep,
    model_on_one_node,
    model_preparing,
    model_report,
    model_update_failed,
    not_made_yet,
    rolling_out,
    scaled_to_zero,
)
from .features import State, feature_impossible, features

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
    if seen.spec and seen.spec.models:
        status["models"] = [
            {"name": one.called, "model": one.name, **_facts(seen, one.name, "digest")}
            for one in seen.prepared
        ]
    return status


def _model(seen: Observed) -> Manifest | None:
    if seen.spec and seen.spec.models:
        return {"name": ",".join(one.called for one in seen.prepared)} if seen.prepared else None
    if seen.references:
        return _facts(seen, seen.prepared[0].name, "name", "digest") or None if seen.prepared else None
    try:
        report = json.loads(model_report(seen) or "")
        return {"name": str(report["name"]), "digest": str(report["digest"])}
    except (ValueError, KeyError, TypeError):
        return None


def _facts(seen: Observed, model: str, *names: str) -> Manifest:
    package = seen.models[model]["status"]["package"]
    return {name: package[name] for name in names if name in package}


def _conditions(seen: Observed, generation: int, previous: Manifest, now: str) -> list[Manifest]:
    trouble = first(TROUBLES, seen)
    waiting = first((being_deleted, model_preparing, not_made_yet, rolling_out), seen)
    asleep = scaled_to_zero(seen)
    extras = features(seen)
    worse = trouble or model_update_failed(seen) or feature_impossible(seen)
    available = ((seen.deployment or {}).get("status", {})).get("availableReplicas", 0)
    # Without pods it is in the volume as it was when there were some.
    installed = model_report(seen) is not None or available > 0 or bool(asleep and previous.get("model"))
    prepared = not seen.unprepared and not first((engine_mismatch, model_on_one_node), seen)
    model = prepared if seen.references else installed
    states: dict[str, State] = {}

    if blocker := trouble or waiting:
        states["Ready"] = State("False", blocker)
    elif asleep:
        states["Ready"] = (
            _woken_by(extras["AutoscalingReady"], asleep) if may_sleep(seen) else State("False", asleep)
        )
    else:
        states["Ready"] = State("True", Finding("Ready", _answering(available)))
    states["Available"] = (
        State("True", Finding("PodsAnswer", _answering(available)))
        if available
        else State("False", asleep or trouble or Finding("NoPodAnswers", "No pod answers yet."))
    )
    states["ModelReady"] = (
        State("True", Finding("Installed", "The model was checked and is in the volume."))
        if model
        else State(
            "False",
            trouble
            or model_preparing(seen)
            or Finding("Installing", "The model is being copied into the volume."),
        )
    )
    states["Progressing"] = (
        State("True", waiting) if waiting else State("False", Finding("Settled", "Nothing is under way."))
    )
    states["Degraded"] = (
        State("True", worse) if worse else State("False", Finding("AsExpected", "Nothing is wrong."))
    )
    states |= extras
    return conditions_of(states, generation, previous, now)


def _woken_by(scaler: State, asleep: Finding) -> State:
    """Ready without pods, as far as there is somebody to start one."""
    return State("True", asleep) if scaler.status == "True" else scaler


def conditions_of(
    states: Mapping[str, State], generation: int, previous: Manifest, now: str
) -> list[Manifest]:
    """Conditions as a status holds them; the time is that of the last change of status."""
    before = {condition["type"]: condition for condition in previous.get("conditions", ())}
    return [_condition(kind, state, generation, before.get(kind), now) for kind, state in states.items()]


def _answering(pods: int) -> str:
    return f"{pods} pod{'' if pods == 1 else 's'} answer{'s' if pods == 1 else ''}."


def _condition(kind: str, state: State, generation: int, before: Manifest | None, now: str) -> Manifest:
    since = before["lastTransitionTime"] if before and before["status"] == state.status else now
    return {
        "type": kind,
        "status": state.status,
        "reason": state.finding.reason,
        "message": state.finding.message[:_MESSAGE_LIMIT],
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }


def transition(before: Manifest, after: Manifest) -> tuple[str, str, str] | None:
    """(event type, reason, message) when Ready, or else Degraded, changed status or reason; else None.

    Steps on the way are none: that a new object is not ready yet and then is, that a roll-out went on.
    """
    degraded, was_degraded = (_is(status, "Degraded") for status in (after, before))
    for kind in ("Ready", "Degraded"):
        old, new = condition_of({"status": before}, kind), condition_of({"status": after}, kind)
        if new is None or (old and (old["status"], old["reason"]) == (new["status"], new["reason"])):
            continue
        if _starting(before) and not degraded and (old is None or new["status"] == "True"):
            continue
        same = old is not None and old["status"] == new["status"]
        if same and _is(after, "Progressing") and not degraded and not was_degraded:
            continue
        return "Warning" if degraded else "Normal", new["reason"], new["message"]
    return None


def _starting(status: Manifest) -> bool:
    """Neither ready nor in trouble since the first status: no other condition is older."""
    conditions = status.get("conditions", ())
    first_time = min((condition["lastTransitionTime"] for condition in conditions), default="")
    return all(
        condition["status"] == "False" and condition["lastTransitionTime"] == first_time
        for condition in conditions
        if condition["type"] in ("Ready", "Degraded")
    )


def _is(status: Manifest, kind: str) -> bool:
    condition = condition_of({"status": status}, kind)
    return condition is not None and condition["status"] == "True"
