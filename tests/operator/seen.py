"""What the operator may have seen of a service, and what its status says of it."""

from collections.abc import Sequence
from typing import Any

from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.reconcile.conditions import Finding, Observed
from sentiment_operator.reconcile.services import prepared_models
from sentiment_operator.reconcile.status import compute_status

from .objects import OWNER, deployment

SPEC = SentimentServiceSpec.model_validate({})
GOOD = deployment(replicas=1, updatedReplicas=1, readyReplicas=1, availableReplicas=1)
STARTING = deployment(replicas=1, updatedReplicas=1)


def saw(
    *children: dict[str, Any],
    spec: SentimentServiceSpec = SPEC,
    pods: Sequence[dict[str, Any]] = (),
    problems: Sequence[Finding] = (),
    apis: frozenset[str] = frozenset(),
    models: Sequence[dict[str, Any]] = (),
) -> Observed:
    by_kind = {made["kind"]: made for made in children}
    there = {model["metadata"]["name"]: model for model in models}
    prepared = prepared_models(spec.references, there)
    return Observed(by_kind, list(pods), list(problems), apis, spec, there, prepared)


def spec_of(**spec: Any) -> SentimentServiceSpec:
    return SentimentServiceSpec.model_validate(spec)


def status_of(seen: Observed, previous: dict[str, Any] | None = None, now: str = "now") -> dict[str, Any]:
    return compute_status(OWNER, 1, seen, previous or {}, now)


def conditions(seen: Observed) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status_of(seen)["conditions"]}


def message(seen: Observed, kind: str = "Ready") -> str:
    return next(str(c["message"]) for c in status_of(seen)["conditions"] if c["type"] == kind)


def condition(kind: str, status: str, reason: str, text: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": text}
