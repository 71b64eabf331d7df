"""The Service: one DNS name for all pods."""

from typing import Any

from ..api.v1alpha1 import Owner
from .metadata import metadata, selector

PORT = 7860


def url(owner: Owner) -> str:
    """Where the service answers inside the cluster."""
    return f"http://{owner.name}.{owner.namespace}.svc:{PORT}"


def service(owner: Owner) -> dict[str, Any]:
    """A ClusterIP Service on port 7860."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(owner),
            "ports": [
                {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}
            ],
        },
    }
