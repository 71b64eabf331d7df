"""The Ingress."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .metadata import metadata


def ingress(owner: Owner, spec: SentimentServiceSpec) -> dict[str, Any] | None:
    """The Ingress; None when it isn't asked for."""
    wanted = spec.access.ingress
    if wanted is None:
        return None
    backend = {"service": {"name": owner.name, "port": {"name": "http"}}}
    path = {"path": spec.access.path, "pathType": "Prefix", "backend": backend}
    made: dict[str, Any] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(owner, owner.name, annotations=wanted.annotations),
        "spec": {"rules": [{"host": wanted.host, "http": {"paths": [path]}}]},
    }
    if wanted.class_name:
        made["spec"]["ingressClassName"] = wanted.class_name
    if wanted.tls_secret_name:
        made["spec"]["tls"] = [{"hosts": [wanted.host], "secretName": wanted.tls_secret_name}]
    return made
