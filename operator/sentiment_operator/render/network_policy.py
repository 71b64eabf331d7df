"""The NetworkPolicy: default deny with named exceptions."""

from typing import Any
from urllib.parse import urlsplit

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from ..api.v1alpha1.access import Peer
from .metadata import metadata, selector
from .service import PORT


def network_policy(owner: Owner, spec: SentimentServiceSpec) -> dict[str, Any] | None:
    """The policy; None when it isn't asked for."""
    policy = spec.access.network_policy
    if policy is None:
        return None
    callers = [{"from": [_peer(peer)], "ports": _tcp(peer.ports or [PORT])} for peer in policy.allow_from]
    targets = [
        {"to": [_peer(peer)], **({"ports": _tcp(peer.ports)} if peer.ports else {})}
        for peer in policy.allow_to
    ]
    if tracing := spec.monitoring.tracing:
        dns = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
        targets.append({"ports": dns + _tcp([urlsplit(tracing.otlp_endpoint).port or 0])})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "podSelector": {"matchLabels": selector(owner)},
            "policyTypes": ["Ingress", "Egress"],
            **({"ingress": callers} if callers else {}),
            **({"egress": targets} if targets else {}),
        },
    }


def _peer(peer: Peer) -> dict[str, Any]:
    if peer.cidr:
        return {"ipBlock": {"cidr": peer.cidr}}
    made: dict[str, Any] = {}
    if peer.namespace_labels is not None:
        made["namespaceSelector"] = _labels(peer.namespace_labels)
    if peer.pod_labels is not None:
        made["podSelector"] = _labels(peer.pod_labels)
    return made


def _labels(wanted: dict[str, str]) -> dict[str, Any]:
    return {"matchLabels": dict(wanted)} if wanted else {}


def _tcp(ports: list[int]) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]
