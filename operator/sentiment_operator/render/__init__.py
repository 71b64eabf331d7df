"""Pure renderers: (owner, spec, surroundings) → manifests. One file per child kind; no clock, no I/O."""

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .dashboard import dashboard
from .deployment import deployment
from .horizontal_pod_autoscaler import horizontal_pod_autoscaler
from .http_route import http_route
from .ingress import ingress
from .model import render_model
from .network_policy import network_policy
from .packages import pods_stay
from .persistent_volume_claim import claim_name, persistent_volume_claim
from .pod_disruption_budget import pod_disruption_budget
from .prometheus_rule import prometheus_rule
from .scaled_object import scaled_object
from .service import service
from .service_monitor import service_monitor
from .surroundings import Children, Manifest, ModelSurroundings, PreparedModel, Surroundings

__all__ = [
    "Children",
    "Manifest",
    "ModelSurroundings",
    "PreparedModel",
    "Surroundings",
    "render",
    "render_model",
]


def render(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> Children:
    """All children of a SentimentService, in the order in which they are applied."""
    referred = bool(spec.references)
    # A model that is not there, or can't be had as asked for, is no reason to touch pods that serve the last.
    untouched = referred and pods_stay(spec, around.models, around.deployment)
    made = (
        None if referred else persistent_volume_claim(owner, spec),
        # Before the pods, so that they never run without it.
        network_policy(owner, spec),
        service(owner, spec),
        None if untouched else deployment(owner, spec, around),
        horizontal_pod_autoscaler(owner, spec, around),
        scaled_object(owner, spec, around),
        pod_disruption_budget(owner, spec, around),
        ingress(owner, spec),
        http_route(owner, spec, around),
        service_monitor(owner, spec, around),
        prometheus_rule(owner, spec, around),
        dashboard(owner, spec),
    )
    keep = {("Deployment", owner.name)} if untouched else set()
    if referred and _mounts(around.deployment, claim_name(owner)):
        keep.add(("PersistentVolumeClaim", claim_name(owner)))
    return Children([manifest for manifest in made if manifest is not None], frozenset(keep))


def _mounts(deployment: Manifest | None, claim: str) -> bool:
    """Whether pods may still mount a claim: the template does, or not all pods are of the newest one yet."""
    if deployment is None:
        return False
    status = deployment.get("status", {})
    current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    if not current or status.get("replicas", 0) != status.get("updatedReplicas", 0):
        return True
    volumes = deployment["spec"]["template"]["spec"].get("volumes", ())
    return any(volume.get("persistentVolumeClaim", {}).get("claimName") == claim for volume in volumes)
