"""Who owns the number of pods, and what it is."""

from typing import Any

from ..api.v1alpha1 import SentimentServiceSpec
from .metadata import MANAGER
from .surroundings import Manifest, Surroundings


def replicas(spec: SentimentServiceSpec, around: Surroundings) -> tuple[int | None, str | None]:
    """(spec.replicas to apply, resourceVersion that the Deployment must still have).

    None for a number that is left alone. A number of which this operator is the only owner is held as it is:
    to give it up would let the API server reset it to 1. Whoever writes another number owns it from then on.
    """
    if spec.replicas is not None:
        return spec.replicas, None
    if around.deployment is None:
        # Also where there may be none: what can't start shows at once, not when somebody needs it.
        return max(1, spec.autoscaling.min_replicas) if spec.autoscaling.type != "None" else 1, None
    if _only_we_own(around.deployment):
        # Only of the version that was seen: an autoscaler's newer number must not be written over.
        return around.deployment["spec"]["replicas"], around.deployment["metadata"]["resourceVersion"]
    return None, None


def most_replicas(spec: SentimentServiceSpec, around: Surroundings) -> int:
    """The most pods that there may be, as far as is known."""
    if spec.autoscaling.type != "None":
        return spec.autoscaling.max_replicas
    if spec.replicas is not None:
        return spec.replicas
    return int((around.deployment or {}).get("spec", {}).get("replicas", 1))


def _only_we_own(deployment: Manifest) -> bool:
    owners = {
        (entry["manager"], entry["operation"])
        for entry in deployment["metadata"].get("managedFields", ())
        if "f:replicas" in _spec_fields(entry)
    }
    return owners == {(MANAGER, "Apply")}


def _spec_fields(entry: Manifest) -> dict[str, Any]:
    fields: dict[str, Any] = entry.get("fieldsV1", {}).get("f:spec", {})
    return fields
