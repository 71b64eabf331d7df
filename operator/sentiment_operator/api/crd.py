"""The CRD, generated from the typed kinds (apiextensions.k8s.io/v1, structural schema)."""

from typing import Any

from .v1alpha1 import GROUP, KIND, PLURAL, VERSION, SentimentServiceSpec

Json = dict[str, Any]

_GENERATION: Json = {"type": "integer", "format": "int64"}
_CONDITION: Json = {
    "type": "object",
    "required": ["type", "status", "reason", "message", "lastTransitionTime"],
    "properties": {
        "type": {
            "type": "string",
            "description": "Ready is the summary; Available, ModelReady, Progressing and Degraded say more; "
            "AutoscalingReady, Exposed and MonitoringReady are there while the feature is asked for.",
        },
        "status": {
            "type": "string",
            "enum": ["True", "False", "Unknown"],
            "description": "Whether the condition holds.",
        },
        "reason": {"type": "string", "description": "One word for programs; see docs/troubleshooting.md."},
        "message": {"type": "string", "description": "What is so, and what to do about it."},
        "lastTransitionTime": {
            "type": "string",
            "format": "date-time",
            "description": "When the status of the condition changed.",
        },
        "observedGeneration": {**_GENERATION, "description": "Generation of the spec that it speaks of."},
    },
}

STATUS: Json = {
    "type": "object",
    "description": "What the operator saw last.",
    "properties": {
        "observedGeneration": {
            **_GENERATION,
            "description": "Generation of the spec that this status speaks of.",
        },
        "conditions": {
            "type": "array",
            "items": _CONDITION,
            "description": "How the service is, by type.",
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
                "name": {"type": "string", "description": "Name of the model."},
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
    if "anyOf" in node and {"type": "null"} in node["anyOf"]:  # X | None: an absent field
        [variant] = [option for option in node["anyOf"] if option != {"type": "null"}]
        rest = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        return structural({**variant, **rest}, definitions)
    out: Json = {}
    for key, value in node.items():
        match key:
            case "title" | "$defs":
                continue
            case "properties":
                out[key] = {name: _property(child, definitions) for name, child in value.items()}
            case "items":
                out[key] = structural(value, definitions)
            case "additionalProperties":
                if isinstance(value, dict):
                    out[key] = structural(value, definitions)
            case "const":
                out["enum"] = [value]
            case _:
                out[key] = value
    return out


def _property(node: Json, definitions: Json) -> Json:
    """A field; an object that is always there has the defaults of its own fields for its default.

    In full, not `{}`: the API server checks a default against the CEL rules as it is written.
    """
    made = structural(node, definitions)
    always = "anyOf" not in node and "default" not in made and not made.get("required")
    return {**made, "default": _defaults(made)} if always and "properties" in made else made


def _defaults(schema: Json) -> Json:
    return {name: field["default"] for name, field in schema["properties"].items() if "default" in field}


def spec_schema() -> Json:
    """Schema of `spec`, with the CEL rules in their places."""
    raw = SentimentServiceSpec.model_json_schema(by_alias=True, mode="validation")
    schema = structural(raw, raw.get("$defs", {}))
    return {**schema, "default": _defaults(schema)}


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
                "shortNames": ["ssvc"],
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
                                "apiVersion": {
                                    "type": "string",
                                    "description": "Always sentiment-operator.io/v1alpha1.",
                                },
                                "kind": {"type": "string", "description": "Always SentimentService."},
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
                                "spec": spec_schema(),
                                "status": STATUS,
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
