"""The pods: an init container fills the model volume, the server reads it.

The volumes of SentimentModels are filled already: pods mount them, and there is no init container.
"""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .compact import dump
from .environment import API_KEYS_FOLDER, API_KEYS_NAME, environment
from .metadata import labels, version
from .packages import MODELS, model_labels, model_mounts, model_volumes
from .persistent_volume_claim import claim_name
from .scheduling import scheduling
from .security import container_security, pod_security
from .service import PORT
from .surroundings import Surroundings

_TMP = "/tmp"  # noqa: S108  an emptyDir in the pod
# From the end of draining to the end of the process.
_GRACE_SECONDS = 5


def image_of(spec: SentimentServiceSpec, around: Surroundings) -> str:
    """What the pods run."""
    return spec.image.reference or around.service_image


def pod_template(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> dict[str, Any]:
    """The template of all pods."""
    image = image_of(spec, around)
    annotations = dict(spec.pod.annotations)
    if spec.monitoring.scrape_annotations:
        annotations |= {
            "prometheus.io/scrape": "true",
            "prometheus.io/path": "/metrics",
            "prometheus.io/port": str(PORT),
        }
    marks = {**labels(owner), **version(image), **model_labels(around.models)}
    metadata: dict[str, Any] = {"labels": {**spec.pod.labels, **marks}}
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": _pod(owner, spec, image, around)}


def _pod(owner: Owner, spec: SentimentServiceSpec, image: str, around: Surroundings) -> dict[str, Any]:
    common = {
        "image": image,
        "imagePullPolicy": spec.image.pull_policy,
        "resources": _resources(spec),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    models = around.models
    own = {"name": "models", "persistentVolumeClaim": {"claimName": claim_name(owner)}}
    mounted = {"name": "models", "mountPath": MODELS}
    keys = spec.access.api_keys_secret_ref
    serving = spec.serving
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Requests in flight get their own deadline to finish in.
        "terminationGracePeriodSeconds": serving.request_timeout_seconds
        + serving.drain_seconds
        + _GRACE_SECONDS,
        "securityContext": pod_security(spec.pod.security_context),
        "containers": [
            {
                "name": "server",
                **common,
                "args": ["serve"],
                "env": environment(owner, spec, models),
                "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
                "startupProbe": _probe("/startupz", period=1, failures=60),
                "livenessProbe": _probe("/livez", period=10, failures=3),
                "readinessProbe": _probe("/readyz", period=3, failures=2),
                "volumeMounts": [
                    *(model_mounts(models) if models else [{**mounted, "readOnly": True}]),
                    {"name": "tmp", "mountPath": _TMP},
                    # A whole folder: the kubelet brings a changed Secret only to those.
                    *([{"name": "api-keys", "mountPath": API_KEYS_FOLDER, "readOnly": True}] if keys else []),
                ],
            }
        ],
        "volumes": [
            *(model_volumes(models) or [own]),
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        **scheduling(owner, spec, models),
    }
    if not models:
        pod["initContainers"] = [
            {
                "name": "model",
                **common,
                # The kubelet lifts the report into the pod's status, where the operator reads it.
                "args": ["install-model", "--to", MODELS, "--report", "/dev/termination-log"],
                "volumeMounts": [mounted, {"name": "tmp", "mountPath": _TMP}],
            }
        ]
    if keys:
        source = {"secretName": keys.name, "items": [{"key": keys.key, "path": API_KEYS_NAME}]}
        # Readable by the group, which fsGroup makes the server's.
        pod["volumes"].append({"name": "api-keys", "secret": {**source, "defaultMode": 0o440}})
    if spec.image.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in spec.image.pull_secrets]
    # Always said: the API server copies it into the deprecated `serviceAccount`, and takes it back from there
    # when it is no longer applied.
    pod["serviceAccountName"] = spec.pod.service_account_name or "default"
    return pod


def _resources(spec: SentimentServiceSpec) -> dict[str, Any]:
    resources = spec.pod_resources
    return {side: {**dump(getattr(resources, side)), **resources.extended} for side in ("requests", "limits")}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
