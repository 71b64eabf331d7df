"""The Deployment: an init container fills the model volume, the server reads it."""

from typing import Any

from ..api.v1alpha1 import Owner, ResourceAmounts, SentimentServiceSpec, Serving
from .metadata import labels, metadata, selector
from .persistent_volume_claim import claim_name
from .service import PORT
from .surroundings import Surroundings

MODELS = "/models"
_TMP = "/tmp"  # noqa: S108  an emptyDir in the pod
# The claim's folder is swung to the current package by install-model.
MODEL_DIR = f"{MODELS}/bundled"
_DRAIN_SECONDS = 3


def deployment(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> dict[str, Any]:
    """The pods of a SentimentService."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "replicas": spec.replicas,
            "selector": {"matchLabels": selector(owner)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "progressDeadlineSeconds": 600,
            "template": {
                "metadata": {"labels": labels(owner)},
                "spec": _pod(owner, spec, around),
            },
        },
    }


def _pod(owner: Owner, spec: SentimentServiceSpec, around: Surroundings) -> dict[str, Any]:
    image = {"image": spec.image.reference or around.service_image, "imagePullPolicy": spec.image.pull_policy}
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Requests in flight get their own deadline to finish in.
        "terminationGracePeriodSeconds": spec.serving.request_timeout_seconds + 2 * _DRAIN_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [
            {
                "name": "model",
                **image,
                # The kubelet lifts the report into the pod's status, where the operator reads it.
                "args": ["install-model", "--to", MODELS, "--report", "/dev/termination-log"],
                "resources": _resources(spec),
                "securityContext": _locked_down(),
                "volumeMounts": [
                    {"name": "models", "mountPath": MODELS},
                    {"name": "tmp", "mountPath": _TMP},
                ],
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ],
        "containers": [
            {
                "name": "server",
                **image,
                "args": ["serve"],
                "env": [{"name": name, "value": value} for name, value in _environment(spec.serving)],
                "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
                "resources": _resources(spec),
                "securityContext": _locked_down(),
                "startupProbe": _probe("/startupz", period=1, failures=60),
                "livenessProbe": _probe("/livez", period=10, failures=3),
                "readinessProbe": _probe("/readyz", period=3, failures=2),
                "volumeMounts": [
                    {"name": "models", "mountPath": MODELS, "readOnly": True},
                    {"name": "tmp", "mountPath": _TMP},
                ],
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": claim_name(owner)}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }
    if spec.image.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in spec.image.pull_secrets]
    return pod


def _environment(serving: Serving) -> list[tuple[str, str]]:
    settings = {
        name.upper(): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in serving.model_dump().items()
    }
    # A full batch must fit into the queue.
    queue = {"QUEUE_LIMIT": str(4 * serving.max_batch_items)}
    return [
        ("MODEL_DIR", MODEL_DIR),
        *settings.items(),
        *queue.items(),
        ("DRAIN_SECONDS", str(_DRAIN_SECONDS)),
    ]


def _resources(spec: SentimentServiceSpec) -> dict[str, Any]:
    def amounts(given: ResourceAmounts) -> dict[str, str]:
        return given.model_dump(exclude_none=True)

    both = {"requests": amounts(spec.resources.requests), "limits": amounts(spec.resources.limits)}
    return {kind: values for kind, values in both.items() if values}


def _locked_down() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
