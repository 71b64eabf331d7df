"""Pure renderers: (owner, spec) → manifests. One file per child kind; no clock, no random, no I/O."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .deployment import deployment
from .persistent_volume_claim import persistent_volume_claim
from .service import service

Manifest = dict[str, Any]


def render(owner: Owner, spec: SentimentServiceSpec, service_image: str) -> list[Manifest]:
    """All children of a SentimentService, in the order in which they are applied.

    service_image: what the pods run when the spec names no image.
    """
    return [
        persistent_volume_claim(owner, spec),
        service(owner),
        deployment(owner, spec, service_image),
    ]
