"""The Deployment: how many pods, and how they are replaced."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from ..api.v1alpha1.scaling import ROLLOUTS
from .metadata import metadata, selector, version
from .pod import image_of, pod_template
from .replicas import replicas
from .surroundings import Surroundings


def deployment(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> dict[str, Any]:
    """The pods of a SentimentService."""
    rollout = spec.rollout
    surge, unavailable = ROLLOUTS[rollout.type]
    strategy = {
        "maxSurge": surge if rollout.max_surge is None else rollout.max_surge,
        "maxUnavailable": unavailable if rollout.max_unavailable is None else rollout.max_unavailable,
    }
    made: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(owner, owner.name, more_labels=version(image_of(spec, around))),
        "spec": {
            "selector": {"matchLabels": selector(owner)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": strategy},
            "progressDeadlineSeconds": rollout.progress_deadline_seconds,
            "revisionHistoryLimit": rollout.revision_history_limit,
            "template": pod_template(owner, spec, around),
        },
    }
    if rollout.min_ready_seconds:  # the API server keeps no zero here
        made["spec"]["minReadySeconds"] = rollout.min_ready_seconds
    number, at = replicas(spec, around)
    if number is not None:
        made["spec"]["replicas"] = number
    if at is not None:
        made["metadata"]["resourceVersion"] = at
    return made
