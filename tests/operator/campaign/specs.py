"""Valid specs out of the CRD's own schema: what a field allows is drawn, what CEL refuses the server says."""

import random
from collections.abc import Iterator
from typing import Any

import rstr

Schema = dict[str, Any]
Path = tuple[str, ...]

# Patterns allow more than a cluster has: amounts are kept to what a machine could be asked for.
_BY_NAME: dict[str, tuple[str, ...]] = {
    "cpu": ("100m", "500m", "1", "2"),
    "memory": ("128Mi", "512Mi", "1Gi"),
    "size": ("2Gi", "5Gi"),
    "host": ("a.example.com", "b.example.org"),
    "image": ("service:2", "registry.example.com/service:3"),
    "reference": ("service:2", "registry.example.com/service:3"),
    "path": ("/", "/sentiment"),
    "otlpEndpoint": ("http://otel-collector:4318",),
}
# So do these: what they let through is not always an address or an amount.
_BY_PATTERN: dict[str, tuple[str, ...]] = {
    r"^[0-9a-fA-F.:]+/[0-9]{1,3}$": ("10.0.0.0/8", "192.168.0.0/16"),
    r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$": ("1", "2", "3"),
    r"^https?://\S+$": ("http://prometheus.monitoring:9090",),
    r"^(\*|https?://[A-Za-z0-9.:_\[\]-]+)$": ("*", "https://shop.example.com"),
}


def leaves(schema: Schema, at: Path = ()) -> Iterator[tuple[Path, Schema]]:
    """Every settable field: (path, schema); lists and maps count as one."""
    for name, field in schema.get("properties", {}).items():
        if field.get("properties"):
            yield from leaves(field, (*at, name))
        else:
            yield (*at, name), field


def draw(schema: Schema, name: str, dice: random.Random) -> Any:
    """Some value that the schema allows. Few pods: the controllers make only some a second, for all lanes."""
    if "enum" in schema:
        return dice.choice(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return dice.choice([1, 2, "25%"])
    kind = schema.get("type")
    if kind == "boolean":
        return dice.random() < 0.5
    if kind in ("integer", "number"):
        low = schema.get("minimum", 0)
        most = low + (3 if name.lower().endswith("replicas") else 50)
        value = dice.randint(int(low), int(min(schema.get("maximum", most), most)))
        return value if kind == "integer" else float(value)
    if kind == "array":
        count = dice.randint(max(1, schema.get("minItems", 1)), max(2, schema.get("minItems", 1)))
        items: list[Any] = []
        for _ in range(count):
            item = draw(schema["items"], name, dice)
            if item not in items:
                items.append(item)
        return items
    if kind == "object":
        return _draw_object(schema, dice)
    if name in _BY_NAME:
        return dice.choice(_BY_NAME[name])
    if schema.get("pattern") in _BY_PATTERN:
        return dice.choice(_BY_PATTERN[schema["pattern"]])
    if pattern := schema.get("pattern"):
        return rstr.Rstr(dice).xeger(pattern)[: schema.get("maxLength", 40)]
    return dice.choice(["alpha", "beta", "gamma"])


def _draw_object(schema: Schema, dice: random.Random) -> Any:
    if properties := schema.get("properties"):
        required = schema.get("required", ())
        chosen = [name for name in properties if name in required or dice.random() < 0.5]
        return {name: draw(properties[name], name, dice) for name in chosen}
    inner = schema.get("additionalProperties") or {"type": "string"}
    return {key: draw(inner, key, dice) for key in dice.sample(["team", "tier", "zone"], dice.randint(1, 2))}


def with_value(spec: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy with the field at the path set."""
    head, *rest = path
    inner = with_value(spec.get(head, {}), tuple(rest), value) if rest else value
    return {**spec, head: inner}


def draw_spec(schema: Schema, dice: random.Random) -> dict[str, Any]:
    """A spec with one to six fields set."""
    fields = list(leaves(schema))
    spec: dict[str, Any] = {}
    for path, field in dice.sample(fields, min(len(fields), dice.randint(1, 6))):
        spec = with_value(spec, path, draw(field, path[-1], dice))
    return spec
