"""The Service: one DNS name for all pods."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .metadata import metadata, selector

PORT = 7860


def url(owner: Owner) -> str:
    """Where the service answers inside the cluster."""
    return f"http://{owner.name}.{owner.namespace}.svc:{PORT}"


def service(owner: Owner, spec: SentimentServiceSpec) -> dict[str, Any]:
    """The Service on port 7860."""
    access = spec.access.service
    options = {
        "loadBalancerClass": access.load_balancer_class,
        "loadBalancerSourceRanges": access.load_balancer_source_ranges,
        "externalTrafficPolicy": access.external_traffic_policy,
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, owner.name, annotations=access.annotations),
        "spec": {
            "type": access.type,
            "selector": selector(owner),
            "ports": [
                {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}
            ],
            **{name: value for name, value in options.items() if value},
        },
    }
