"""The CRD, generated from the typed kinds (apiextensions.k8s.io/v1, structural schema)."""

from typing import Any

from .v1alpha1 import GROUP, KIND, PLURAL, VERSION, SentimentServiceSpec

Json = dict[str, Any]

# CEL rules with a message that names the field and the remedy.
_STORAGE_RULES: list[Json] = [
    {
        "rule": "self.accessMode == oldSelf.accessMode",
        "message": "spec.storage.accessMode of an existing claim can't change: "
        "delete the SentimentService and create it again",
    },
    {
        "rule": "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
        "message": "spec.storage.size can only grow: keep the old size or more",
    },
    {
        "rule": "has(self.storageClassName) == has(oldSelf.storageClassName) && "
        "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
        "message": "spec.storage.storageClassName of an existing claim can't change: "
        "delete the SentimentService and create it again",
    },
]

_CONDITION: Json = {
    "type": "object",
    "required": ["type", "status", "reason", "message", "lastTransitionTime"],
    "properties": {
        "type": {"type": "string", "description": "Ready is the summary of the others."},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string"},
        "message": {"type": "string", "description": "What is so, and what to do about it."},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "observedGeneration": {"type": "integer", "format": "int64"},
    },
}

_STATUS: Json = {
    "type": "object",
    "description": "What the operator saw last.",
    "properties": {
        "observedGeneration": {
            "type": "integer",
            "format": "int64",
            "description": "Generation of the spec that this status speaks of.",
        },
        "conditions": {
            "type": "array",
            "items": _CONDITION,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
        "replicas": {"type": "integer", "description": "Pods that exist."},
        "readyReplicas": {"type": "integer", "description": "Pods that answer."},
        "selector": {"type": "string", "description": "Label selector of the pods, for autoscalers."},
        "url": {"type": "string", "description": "Where the service answers inside the cluster."},
        "model": {
            "type": "object",
            "description": "The model that is served, as its package says.",
            "properties": {
                "name": {"type": "string"},
                "digest": {
                    "type": "string",
                    "description": "SHA-256 over the digests of the package's files.",
                },
            },
        },
    },
}

_COLUMNS = [
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Replicas", "integer", ".status.replicas", 0),
    ("Available", "integer", ".status.readyReplicas", 0),
    ("Model", "string", ".status.model.name", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("URL", "string", ".status.url", 1),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
]


def structural(node: Json, definitions: Json) -> Json:
    """JSON Schema as pydantic writes it → the structural subset that a CRD allows."""
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    if "anyOf" in node:  # X | None: an absent field, as Kubernetes has it
        [variant] = [option for option in node["anyOf"] if option != {"type": "null"}]
        node = {**variant, **{key: value for key, value in node.items() if key not in ("anyOf", "default")}}
    out: Json = {}
    for key, value in node.items():
        match key:
            case "title" | "additionalProperties" | "$defs":
                continue
            case "properties":
                out[key] = {name: structural(child, definitions) for name, child in value.items()}
            case "items":
                out[key] = structural(value, definitions)
            case "default":
                out[key] = _without_none(value)
            case "const":
                out["enum"] = [value]
            case _:
                out[key] = value
    return out


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(child) for key, child in value.items() if child is not None}
    return value


def spec_schema() -> Json:
    """Schema of `spec`, with the CEL rules in their places."""
    raw = SentimentServiceSpec.model_json_schema(by_alias=True, mode="validation")
    schema = structural(raw, raw.get("$defs", {}))
    schema["properties"]["storage"]["x-kubernetes-validations"] = _STORAGE_RULES
    return schema


def sentiment_service_crd() -> Json:
    """The CustomResourceDefinition of SentimentService."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["senti"],
                "categories": ["all", "sentiment"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "A Chinese sentiment analysis API, kept running.",
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {
                                    "type": "object",
                                    # Children carry the name as a label value and a DNS label.
                                    "properties": {
                                        "name": {
                                            "type": "string",
                                            "maxLength": 52,
                                            "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$",
                                        }
                                    },
                                },
                                "spec": {**spec_schema(), "default": {}},
                                "status": _STATUS,
                            },
                        }
                    },
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "priority": priority}
                        for name, kind, path, priority in _COLUMNS
                    ],
                }
            ],
        },
    }
