"""The kinds that services and models are made of, and the optional parts of a cluster that it may use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A namespaced kind as the API server knows it; an optional one may not be installed."""

    kind: str
    group: str
    version: str
    plural: str
    optional: bool = False

    @property
    def api_version(self) -> str:
        """What a manifest's `apiVersion` says."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        """Path of the API group and version on the server."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


# All children that a service or model can have; whoever watches, lists, prunes or grants rights goes by this.
CHILDREN = (
    Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims"),
    Kind("Job", "batch", "v1", "jobs"),
    Kind("Service", "", "v1", "services"),
    Kind("Deployment", "apps", "v1", "deployments"),
    Kind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers"),
    Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    Kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
    Kind("Ingress", "networking.k8s.io", "v1", "ingresses"),
    Kind("ConfigMap", "", "v1", "configmaps"),
    Kind("HTTPRoute", "gateway.networking.k8s.io", "v1", "httproutes", optional=True),
    Kind("ScaledObject", "keda.sh", "v1alpha1", "scaledobjects", optional=True),
    Kind("ServiceMonitor", "monitoring.coreos.com", "v1", "servicemonitors", optional=True),
    Kind("PrometheusRule", "monitoring.coreos.com", "v1", "prometheusrules", optional=True),
)

POD = Kind("Pod", "", "v1", "pods")

# What a cluster may offer, as a set of words: the `kind` of each optional kind that is installed, and these.
# The API group through which an HPA reads metrics of pods (prometheus-adapter serves it).
CUSTOM_METRICS = "custom.metrics.k8s.io"
# The field `tolerance` of an HPA's behaviour; Kubernetes 1.35 and newer.
HPA_TOLERANCE = "hpa-tolerance"
# Volumes that hold an OCI image's files; Kubernetes 1.35 and newer.
IMAGE_VOLUME = "image-volume"

# Where the pod that prepares a model serves how far it is.
PROGRESS_PORT = 8080
