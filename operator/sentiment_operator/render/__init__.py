"""Pure renderers: (owner, spec, surroundings) → manifests. One file per child kind; no clock, no I/O."""

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .dashboard import dashboard
from .deployment import deployment
from .horizontal_pod_autoscaler import horizontal_pod_autoscaler
from .http_route import http_route
from .ingress import ingress
from .network_policy import network_policy
from .persistent_volume_claim import persistent_volume_claim
from .pod_disruption_budget import pod_disruption_budget
from .prometheus_rule import prometheus_rule
from .scaled_object import scaled_object
from .service import service
from .service_monitor import service_monitor
from .surroundings import Children, Manifest, Surroundings

__all__ = ["Children", "Manifest", "Surroundings", "render"]


def render(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> Children:
    """All children of a SentimentService, in the order in which they are applied."""
    # A model that can't be found is no reason to touch pods that serve the last one.
    unknown_model = spec.model.model_ref is not None
    pods = None if unknown_model else deployment(owner, spec, around)
    made = (
        persistent_volume_claim(owner, spec),
        # Before the pods, so that they never run without it.
        network_policy(owner, spec),
        service(owner, spec),
        pods,
        horizontal_pod_autoscaler(owner, spec, around),
        scaled_object(owner, spec, around),
        pod_disruption_budget(owner, spec, around),
        ingress(owner, spec),
        http_route(owner, spec, around),
        service_monitor(owner, spec, around),
        prometheus_rule(owner, spec, around),
        dashboard(owner, spec),
    )
    return Children(
        [manifest for manifest in made if manifest is not None],
        frozenset({("Deployment", owner.name)}) if unknown_model else frozenset(),
    )
