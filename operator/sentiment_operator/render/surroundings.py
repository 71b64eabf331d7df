"""What a render needs to know of the cluster, and what it gives back."""

from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """The cluster as a pass sees it."""

    # What the pods run when the spec names no image.
    service_image: str
    # What the cluster offers; the words are those of api.kinds.
    apis: frozenset[str] = frozenset()
    # The Deployment as the API server holds it; None only if there is none (not: if it was not seen yet).
    deployment: Manifest | None = None


@dataclass(frozen=True)
class Children:
    """What to apply, in this order, and what to leave as it is; everything else that is owned goes."""

    apply: list[Manifest]
    # (kind, name)
    keep: frozenset[tuple[str, str]] = field(default_factory=frozenset)
