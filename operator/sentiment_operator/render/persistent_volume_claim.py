"""The claim of a service for the bundled model, and of a SentimentModel for its packages."""

from typing import Any

from ..api.v1alpha1 import KIND, Owner, SentimentModelSpec, SentimentServiceSpec
from .metadata import metadata


def claim_name(owner: Owner) -> str:
    """Name of the claim; a service and a model of one name have different ones."""
    return f"{owner.name}-models" if owner.kind == KIND else f"{owner.name}-model"


def persistent_volume_claim(owner: Owner, spec: SentimentServiceSpec | SentimentModelSpec) -> dict[str, Any]:
    """The claim; with `retain` it has no owner and so outlives the object."""
    storage = spec.storage
    claim: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(owner, claim_name(owner), owned=not storage.retain),
        "spec": {
            "accessModes": [storage.access_mode],
            "resources": {"requests": {"storage": storage.size}},
        },
    }
    if storage.storage_class_name is not None:
        claim["spec"]["storageClassName"] = storage.storage_class_name
    return claim
