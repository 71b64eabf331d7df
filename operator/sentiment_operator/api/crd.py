"""The CRD, generated from the typed kinds (apiextensions.k8s.io/v1, structural schema)."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from .model_status import MODEL_COLUMNS, MODEL_STATUS
from .schema import CONDITIONS, GENERATION, Column, defaults, structural
from .v1alpha1 import (
    GROUP,
    KIND,
    MODEL_KIND,
    MODEL_PLURAL,
    PLURAL,
    VERSION,
    SentimentModelSpec,
    SentimentServiceSpec,
)

Json = dict[str, Any]

_DIGEST: Json = {"type": "string", "description": "SHA-256 over the digests of the package's files."}

STATUS: Json = {
    "type": "object",
    "description": "What the operator saw last.",
    "properties": {
        "observedGeneration": {
            **GENERATION,
            "description": "Generation of the spec that this status speaks of.",
        },
        "conditions": {**CONDITIONS, "description": "How the service is, by type."},
        "replicas": {"type": "integer", "description": "Pods that exist."},
        "readyReplicas": {"type": "integer", "description": "Pods that answer."},
        "selector": {"type": "string", "description": "Label selector of the pods, for autoscalers."},
        "url": {"type": "string", "description": "Where the service answers inside the cluster."},
        "model": {
            "type": "object",
            "description": "The model that is served, as its package says.",
            "properties": {
                "name": {"type": "string", "description": "Name of the model; of several, all their names."},
                "digest": _DIGEST,
            },
        },
        "models": {
            "type": "array",
            "description": "Of several models those that have a package, the default one first.",
            "items": {
                "type": "object",
                "required": ["name", "model"],
                "properties": {
                    "name": {"type": "string", "description": "What requests choose it by."},
                    "model": {"type": "string", "description": "The SentimentModel."},
                    "digest": _DIGEST,
                },
            },
        },
    },
}

_COLUMNS: list[Column] = [
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Replicas", "integer", ".status.replicas", 0),
    ("Available", "integer", ".status.readyReplicas", 0),
    ("Model", "string", ".status.model.name", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("URL", "string", ".status.url", 1),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
]


def spec_schema(spec: type[BaseModel] = SentimentServiceSpec) -> Json:
    """Schema of `spec`, with the CEL rules in their places."""
    raw = spec.model_json_schema(by_alias=True, mode="validation")
    schema = structural(raw, raw.get("$defs", {}))
    # An object that must be given has no default: it would hide that it is missing.
    return schema if schema.get("required") else {**schema, "default": defaults(schema)}


def sentiment_service_crd() -> Json:
    """The CustomResourceDefinition of SentimentService."""
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    about = "A Chinese sentiment analysis API, kept running."
    spec = spec_schema()
    return _crd((KIND, PLURAL, "ssvc"), about, spec, STATUS, _COLUMNS, {"status": {}, "scale": scale})


def sentiment_model_crd() -> Json:
    """The CustomResourceDefinition of SentimentModel."""
    about = "A model that is fetched, converted, quantised and judged once, and shared by services."
    spec = spec_schema(SentimentModelSpec)
    names = (MODEL_KIND, MODEL_PLURAL, "smodel")
    return _crd(names, about, spec, MODEL_STATUS, MODEL_COLUMNS, {"status": {}}, ["spec"])


def _crd(
    names: tuple[str, str, str],
    about: str,
    spec: Json,
    status: Json,
    columns: list[Column],
    subresources: Json,
    required: Sequence[str] = (),
) -> Json:
    kind, plural, short = names
    meta: Json = {
        "type": "object",
        # Children carry the name as a label value and a DNS label.
        "properties": {
            "name": {"type": "string", "maxLength": 52, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"}
        },
    }
    schema: Json = {
        "type": "object",
        "description": about,
        **({"required": list(required)} if required else {}),
        "properties": {
            "apiVersion": {"type": "string", "description": "Always sentiment-operator.io/v1alpha1."},
            "kind": {"type": "string", "description": f"Always {kind}."},
            "metadata": meta,
            "spec": spec,
            "status": status,
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["all", "sentiment"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": subresources,
                    "additionalPrinterColumns": [
                        {"name": name, "type": form, "jsonPath": path, "priority": priority}
                        for name, form, path, priority in columns
                    ],
                }
            ],
        },
    }
