"""The Job that prepares a model: one for each wish, and a wish is a folder in the volume."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ..api.kinds import PROGRESS_PORT
from ..api.v1alpha1 import Owner, SentimentModelSpec
from ..api.v1alpha1.model_source import ClaimPath, EvaluationSource, HubSource, Source
from .compact import dump
from .metadata import labels, metadata, model_label, version
from .persistent_volume_claim import claim_name
from .scheduling import beside
from .security import container_security, pod_security
from .surroundings import Manifest

CONTAINER = "prepare"
# The template that a Job was made from, as a digest: a Job itself can't be changed.
TEMPLATE = "sentiment-operator.io/template"
MODELS = "/models"
_SOURCE, _EVALUATION, _UNLABELLED, _CREDENTIALS = "/source", "/evaluation", "/unlabelled", "/credentials"
_CSV = "texts.csv"
# Where the hubs' own clients look for what they have cached.
_CACHES = {"hf": "HF_HUB_CACHE", "modelscope": "MODELSCOPE_CACHE"}
_TMP = "/tmp"  # noqa: S108  an emptyDir in the pod
# Faults that do not pass by themselves, and wrong arguments (sentiment_models/command.py).
_HOPELESS = (1, 2)
_RETRIES = 8


def image_of(spec: SentimentModelSpec, default: str) -> str:
    """What the Job runs."""
    return spec.image.reference or default


def wish_of(spec: SentimentModelSpec, image: str, claim_uid: str) -> str:
    """Names the package that a spec asks for in a volume: another one gets another name."""
    source = spec.source.model_dump(by_alias=True, exclude_none=True, exclude={"credentials_secret_ref"})
    facts = {
        "source": source,
        "labels": dump(spec.labels) if spec.labels else None,
        "precision": spec.precision,
        "gate": dump(spec.gate),
        "volume": claim_uid,
        "image": image if spec.source.bundled else None,
        # Only where it is asked: what was made before there was such a field keeps its name.
        **({"pruning": dump(spec.pruning)} if spec.pruning else {}),
        **({"engine": spec.engine} if spec.engine != "openvino" else {}),
    }
    return _digest(facts)


def job_name(owner: Owner, wish: str) -> str:
    """Name of the Job that prepares a package."""
    return f"{owner.name}-{wish}"


def job(
    owner: Owner, spec: SentimentModelSpec, image: str, wish: str, keep: Sequence[str] = ()
) -> dict[str, Any]:
    """The Job; keep: packages beside the wanted one that stay in the volume."""
    template = _template(owner, spec, image, wish)
    deadline = spec.job.deadline_seconds
    # The size: a Job that failed in a full volume is worth another attempt in a larger one.
    mark = {TEMPLATE: _digest([template, deadline, spec.storage.size])}
    template["spec"]["containers"][0]["args"] += ["--sweep"] + [f"--keep={one}" for one in sorted(keep)]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(owner, job_name(owner, wish), more_labels=version(image), annotations=mark),
        "spec": {
            "backoffLimit": _RETRIES,
            "activeDeadlineSeconds": deadline,
            # Never two pods that write at once.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "containerName": CONTAINER,
                            "operator": "In",
                            "values": list(_HOPELESS),
                        },
                    },
                ]
            },
            "template": template,
        },
    }


def _template(owner: Owner, spec: SentimentModelSpec, image: str, wish: str) -> dict[str, Any]:
    volumes, mounts = _volumes(owner, spec)
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(spec.job.security_context),
        "containers": [
            {
                "name": CONTAINER,
                "image": image,
                "imagePullPolicy": spec.image.pull_policy,
                "args": _arguments(owner, spec, wish),
                "env": [*_cache(spec.source), *(dump(given) for given in spec.job.env)],
                "ports": [{"name": "progress", "containerPort": PROGRESS_PORT, "protocol": "TCP"}],
                "resources": {
                    side: dump(getattr(spec.job.resources, side)) for side in ("requests", "limits")
                },
                "securityContext": container_security(),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }
    if spec.storage.access_mode == "ReadWriteOnce":
        pod["affinity"] = {"podAffinity": beside(owner.name)}
    if spec.image.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in spec.image.pull_secrets]
    if spec.job.node_selector:
        pod["nodeSelector"] = dict(spec.job.node_selector)
    if spec.job.tolerations:
        pod["tolerations"] = [dump(given) for given in spec.job.tolerations]
    if not pod["containers"][0]["env"]:
        del pod["containers"][0]["env"]
    marks = {**labels(owner), **version(image), model_label(owner.name): wish}
    return {"metadata": {"labels": marks}, "spec": pod}


def _arguments(owner: Owner, spec: SentimentModelSpec, wish: str) -> list[str]:
    gate = spec.gate
    options: dict[str, Any] = {
        "name": owner.name,
        "engine": spec.engine if spec.engine != "openvino" else None,
        "precision": spec.precision,
        "max-accuracy-drop": f"{gate.max_accuracy_drop:g}",
        "max-calibration-rise": f"{gate.max_calibration_rise:g}",
        "max-texts": gate.max_texts,
        "prune": spec.pruning and spec.pruning.percent,
        "distil": _unlabelled(spec),
        "evaluation": _csv_place(spec.gate.evaluation, _EVALUATION),
        "labels": spec.labels and f"{spec.labels.negative},{spec.labels.positive}",
        "credentials": _CREDENTIALS if spec.source.credentials_secret_ref else None,
        "report": "/dev/termination-log",
        "progress-port": PROGRESS_PORT,
    }
    place, more = _place(spec.source)
    given = {**more, **options}
    # With "=": a value may begin with a hyphen.
    return [
        "prepare",
        place,
        f"{MODELS}/{wish}",
        *(f"--{name}={value}" for name, value in given.items() if value is not None),
        *(["--offline"] if any(hub.offline for _, hub in _hubs(spec.source)) else []),
        "--once",
    ]


def _place(source: Source) -> tuple[str, dict[str, str | None]]:
    """(SOURCE, its options) of the command line."""
    if source.http:
        return source.http.url, {"sha256": source.http.sha256}
    if source.s3:
        return source.s3.url, {"sha256": source.s3.sha256, "endpoint": source.s3.endpoint}
    for scheme, hub in _hubs(source):
        return f"{scheme}://{hub.repository}", {"revision": hub.revision, "endpoint": hub.endpoint}
    if mounted := source.pvc or source.oci:
        return f"{_SOURCE}/{mounted.path}".rstrip("/"), {}
    return "bundled", {}


def _hubs(source: Source) -> list[tuple[str, HubSource]]:
    """The hub that is asked, with the scheme of the command line, if it is one."""
    found = (("hf", source.hugging_face), ("modelscope", source.model_scope))
    return [(scheme, hub) for scheme, hub in found if hub]


def _cache(source: Source) -> list[Manifest]:
    """The variable that names the mounted cache, when the hub is not to be asked."""
    return [
        {"name": _CACHES[scheme], "value": f"{_SOURCE}/{hub.offline.path}".rstrip("/")}
        for scheme, hub in _hubs(source)
        if hub.offline
    ]


def _csv_place(given: EvaluationSource | None, mounted: str) -> str | None:
    if given is None:
        return None
    if given.http:
        return given.http.url
    return f"{mounted}/{given.pvc.path if given.pvc else _CSV}"


def _unlabelled(spec: SentimentModelSpec) -> str | None:
    if spec.pruning is None or spec.pruning.distillation is None:
        return None
    return _csv_place(spec.pruning.distillation.texts, _UNLABELLED) or "bundled"


def _volumes(owner: Owner, spec: SentimentModelSpec) -> tuple[list[Manifest], list[Manifest]]:
    """(volumes, mounts)."""
    volumes: list[Manifest] = [
        {"name": "models", "persistentVolumeClaim": {"claimName": claim_name(owner)}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
    ]
    mounts: list[Manifest] = [
        {"name": "models", "mountPath": MODELS},
        {"name": "tmp", "mountPath": _TMP},
    ]

    def add(name: str, path: str, what: Manifest) -> None:
        volumes.append({"name": name, **what})
        mounts.append({"name": name, "mountPath": path, "readOnly": True})

    source = spec.source
    if source.pvc:
        add("source", _SOURCE, _claim(source.pvc))
    for _, hub in _hubs(source):
        if hub.offline:
            add("source", _SOURCE, _claim(hub.offline))
    if source.oci:
        image = {"reference": source.oci.reference, "pullPolicy": source.oci.pull_policy}
        add("source", _SOURCE, {"image": image})
    distillation = spec.pruning and spec.pruning.distillation
    for name, path, texts in (
        ("evaluation", _EVALUATION, spec.gate.evaluation),
        ("unlabelled", _UNLABELLED, distillation and distillation.texts),
    ):
        if texts and texts.pvc:
            add(name, path, _claim(texts.pvc))
        if texts and (key := texts.config_map_key_ref):
            items = [{"key": key.key, "path": _CSV}]
            # The API server's own default, said so that nothing differs.
            add(name, path, {"configMap": {"name": key.name, "items": items, "defaultMode": 0o644}})
    if secret := source.credentials_secret_ref:
        add("credentials", _CREDENTIALS, {"secret": {"secretName": secret.name, "defaultMode": 0o440}})
    return volumes, mounts


def _claim(place: ClaimPath) -> Manifest:
    return {"persistentVolumeClaim": {"claimName": place.claim_name, "readOnly": True}}


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
