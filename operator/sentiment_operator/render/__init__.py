"""Pure renderers: (owner, spec, surroundings) → manifests. One file per child kind; no clock, no I/O."""

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .deployment import deployment
from .persistent_volume_claim import persistent_volume_claim
from .service import service
from .surroundings import Children, Manifest, Surroundings

__all__ = ["Children", "Manifest", "Surroundings", "render"]


def render(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> Children:
    """All children of a SentimentService, in the order in which they are applied."""
    return Children(
        [
            persistent_volume_claim(owner, spec),
            service(owner),
            deployment(owner, spec, around),
        ]
    )
