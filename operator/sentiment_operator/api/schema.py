"""What the CRDs share: conditions, and JSON Schema as the API server wants it."""

from typing import Any

Json = dict[str, Any]
# name, type, path, priority
Column = tuple[str, str, str, int]

GENERATION: Json = {"type": "integer", "format": "int64"}
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
        "observedGeneration": {**GENERATION, "description": "Generation of the spec that it speaks of."},
    },
}
CONDITIONS: Json = {
    "type": "array",
    "items": _CONDITION,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
}


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
                must = node.get("required", ())
                out[key] = {
                    name: structural(child, definitions) if name in must else _property(child, definitions)
                    for name, child in value.items()
                }
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
    return {**made, "default": defaults(made)} if always and "properties" in made else made


def defaults(schema: Json) -> Json:
    """The defaults of an object's fields."""
    return {name: field["default"] for name, field in schema["properties"].items() if "default" in field}
