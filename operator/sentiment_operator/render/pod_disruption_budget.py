"""The PodDisruptionBudget: how many pods a drain may take."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .metadata import metadata, selector
from .replicas import most_replicas
from .scheduling import on_one_node
from .surroundings import Surroundings


def pod_disruption_budget(
    owner: Owner, spec: SentimentServiceSpec, around: Surroundings
) -> dict[str, Any] | None:
    """The budget; by itself only where pods are several and can go to another node."""
    budget = spec.availability.pod_disruption_budget
    sensible = not on_one_node(spec, around) and most_replicas(spec, around) > 1
    if budget.policy == "Never" or (budget.policy == "Auto" and not sensible):
        return None
    if budget.min_available is not None:
        amount: dict[str, Any] = {"minAvailable": budget.min_available}
    else:
        amount = {"maxUnavailable": 1 if budget.max_unavailable is None else budget.max_unavailable}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(owner, owner.name),
        "spec": {
            **amount,
            "selector": {"matchLabels": selector(owner)},
            # A pod that is broken anyway must not keep a node from being drained.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
