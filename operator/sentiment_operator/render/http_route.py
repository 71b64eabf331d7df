"""The Gateway API's HTTPRoute."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .compact import dump
from .metadata import metadata
from .service import PORT
from .surroundings import Surroundings


def http_route(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> dict[str, Any] | None:
    """The HTTPRoute; None when it isn't asked for, or the cluster has no Gateway API."""
    wanted = spec.access.http_route
    if wanted is None or "HTTPRoute" not in around.apis:
        return None
    made: dict[str, Any] = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(owner, owner.name, annotations=wanted.annotations),
        "spec": {
            "parentRefs": [dump(parent) for parent in wanted.parent_refs],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": spec.access.path}}],
                    "backendRefs": [{"name": owner.name, "port": PORT}],
                }
            ],
        },
    }
    if wanted.hostnames:
        made["spec"]["hostnames"] = list(wanted.hostnames)
    return made
