"""The claim that holds the model for all pods."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .metadata import metadata


def claim_name(owner: Owner) -> str:
    """Name of the model volume's claim."""
    return f"{owner.name}-models"


def persistent_volume_claim(owner: Owner, spec: SentimentServiceSpec) -> dict[str, Any]:
    """The claim; with `retain` it has no owner and so outlives the SentimentService."""
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
