"""Who reaches the service, and how."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Annotations, Labels, Name, SecretKey, Strict, config

Host = Annotated[str, Field(max_length=253, pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Cidr = Annotated[str, Field(max_length=43, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class ServiceAccess(Strict):
    """The Service; its port is always 7860."""

    model_config = config(
        (
            "self.type == 'LoadBalancer' || "
            "!has(self.loadBalancerClass) && !has(self.loadBalancerSourceRanges)",
            "spec.access.service: loadBalancerClass and loadBalancerSourceRanges need type: LoadBalancer",
        ),
        (
            "self.type != 'ClusterIP' || !has(self.externalTrafficPolicy)",
            "spec.access.service: externalTrafficPolicy needs type: NodePort or LoadBalancer",
        ),
    )

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        "ClusterIP", description="Where the Service can be reached from."
    )
    annotations: Annotations = Field(
        default_factory=dict,
        description="Annotations of the Service, such as those of a cloud's load balancer.",
    )
    load_balancer_class: str | None = Field(
        None, max_length=253, description="The load balancer's implementation, where there are several."
    )
    load_balancer_source_ranges: list[Cidr] | None = Field(
        None, max_length=64, description="Networks that the load balancer lets in; all when absent."
    )
    external_traffic_policy: Literal["Cluster", "Local"] | None = Field(
        None, description="Local keeps the caller's address and goes only to pods on the same node."
    )


class Ingress(Strict):
    """An Ingress."""

    host: Host = Field(description="Host name under which the service is published.")
    class_name: Name | None = Field(None, description="The IngressClass; the cluster's default when absent.")
    tls_secret_name: Name | None = Field(
        None, description="Secret with the certificate of the host; plain HTTP when absent."
    )
    annotations: Annotations = Field(
        default_factory=dict, description="Annotations that the ingress controller reads."
    )


class ParentReference(Strict):
    """A Gateway."""

    name: Name = Field(description="Name of the Gateway.")
    namespace: Name | None = Field(None, description="Its namespace; this one when absent.")
    section_name: str | None = Field(
        None, max_length=253, description="The Gateway's listener; all that allow it when absent."
    )


class HTTPRoute(Strict):
    """An HTTPRoute of the Gateway API."""

    parent_refs: list[ParentReference] = Field(
        min_length=1, max_length=8, description="The Gateways that carry the route."
    )
    hostnames: list[Host] = Field(
        default_factory=list, max_length=16, description="Host names; those of the Gateway when empty."
    )
    annotations: Annotations = Field(default_factory=dict, description="Annotations of the HTTPRoute.")


class Peer(Strict):
    """One named exception from the default deny: a network, or pods by labels."""

    model_config = config(
        (
            "has(self.cidr) != (has(self.namespaceLabels) || has(self.podLabels))",
            "spec.access.networkPolicy: a peer is either a cidr, or namespaceLabels and podLabels (one or "
            "both)",
        )
    )

    name: str = Field(min_length=1, max_length=63, description="What the exception is for; for people.")
    cidr: Cidr | None = Field(None, description="A network, such as 10.0.0.0/8.")
    namespace_labels: Labels | None = Field(
        None, description="Namespaces by labels; `{}` means all, absent means this one."
    )
    pod_labels: Labels | None = Field(None, description="Pods by labels; absent means all of the namespaces.")
    ports: list[Port] | None = Field(
        None, max_length=16, description="TCP ports; absent means 7860 for callers and all for destinations."
    )


class NetworkPolicy(Strict):
    """Nobody reaches the pods and they reach nobody, but for what is named here."""

    allow_from: list[Peer] = Field(
        default_factory=list,
        max_length=32,
        description="Who may call: applications, the ingress controller, Prometheus.",
    )
    allow_to: list[Peer] = Field(
        default_factory=list,
        max_length=32,
        description="What the pods may reach. The service itself needs nothing; with tracing on, DNS and the "
        "port of the endpoint are open already.",
    )


class Access(Strict):
    """Who reaches the service, and how."""

    model_config = config(
        (
            "!(has(self.ingress) && has(self.httpRoute))",
            "spec.access: give ingress or httpRoute, not both",
        )
    )

    path: str = Field(
        "/",
        max_length=253,
        pattern=r"^/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$",
        description="Path under which Ingress or HTTPRoute publish the service; the server knows it too.",
    )
    service: ServiceAccess = Field(
        default_factory=ServiceAccess,  # type: ignore[arg-type]
        description="The Service inside the cluster.",
    )
    ingress: Ingress | None = Field(None, description="Publish the service with an Ingress.")
    http_route: HTTPRoute | None = Field(
        None, description="Publish the service with an HTTPRoute; needs the Gateway API."
    )
    network_policy: NetworkPolicy | None = Field(
        None, description="Make a NetworkPolicy: default deny with named exceptions; `{}` denies all."
    )
    api_keys_secret_ref: SecretKey | None = Field(
        None,
        description="Callers must show one of the keys in this file, one a line (`key` or `name=key`). The "
        "pods "
        "mount it; the operator never reads it. A changed key needs no restart.",
    )
