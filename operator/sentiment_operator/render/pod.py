"""The pods: an init container fills the model volume, the server reads it."""

from typing import Any

from ..api.v1alpha1 import Owner, SentimentServiceSpec
from .compact import dump
from .environment import API_KEYS_FOLDER, API_KEYS_NAME, environment
from .metadata import labels, version
from .persistent_volume_claim import claim_name
from .scheduling import scheduling
from .service import PORT
from .surroundings import Surroundings

MODELS = "/models"
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
    metadata: dict[str, Any] = {"labels": {**spec.pod.labels, **labels(owner), **version(image)}}
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": _pod(owner, spec, image)}


def _pod(owner: Owner, spec: SentimentServiceSpec, image: str) -> dict[str, Any]:
    common = {
        "image": image,
        "imagePullPolicy": spec.image.pull_policy,
        "resources": _resources(spec),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    keys = spec.access.api_keys_secret_ref
    serving = spec.serving
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Requests in flight get their own deadline to finish in.
        "terminationGracePeriodSeconds": serving.request_timeout_seconds
        + serving.drain_seconds
        + _GRACE_SECONDS,
        "securityContext": _security_context(spec),
        "initContainers": [
            {
                "name": "model",
                **common,
                # The kubelet lifts the report into the pod's status, where the operator reads it.
                "args": ["install-model", "--to", MODELS, "--report", "/dev/termination-log"],
                "volumeMounts": [
                    {"name": "models", "mountPath": MODELS},
                    {"name": "tmp", "mountPath": _TMP},
                ],
            }
        ],
        "containers": [
            {
                "name": "server",
                **common,
                "args": ["serve"],
                "env": environment(owner, spec),
                "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
                "startupProbe": _probe("/startupz", period=1, failures=60),
                "livenessProbe": _probe("/livez", period=10, failures=3),
                "readinessProbe": _probe("/readyz", period=3, failures=2),
                "volumeMounts": [
                    {"name": "models", "mountPath": MODELS, "readOnly": True},
                    {"name": "tmp", "mountPath": _TMP},
                    # A whole folder: the kubelet brings a changed Secret only to those.
                    *([{"name": "api-keys", "mountPath": API_KEYS_FOLDER, "readOnly": True}] if keys else []),
                ],
            }
        ],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": claim_name(owner)}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        **scheduling(owner, spec),
    }
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


def _security_context(spec: SentimentServiceSpec) -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        **dump(spec.pod.security_context),
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _resources(spec: SentimentServiceSpec) -> dict[str, Any]:
    return {
        side: {**dump(getattr(spec.resources, side)), **spec.resources.extended}
        for side in ("requests", "limits")
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
