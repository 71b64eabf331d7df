"""Which fields of a desired manifest an observed object lacks or holds otherwise. Pure.

The API server adds defaults and other managers add fields: the observed object may hold more than is
desired. What this operator applied earlier and no longer desires is found in `managedFields`
(https://kubernetes.io/docs/reference/using-api/server-side-apply/, structure FieldsV1).
"""

import json
from decimal import Decimal
from typing import Any

from ..api.quantity import amount

Manifest = dict[str, Any]

# Lists that Kubernetes merges by a key, as their OpenAPI schema says (x-kubernetes-list-map-keys).
_MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
}
_QUANTITIES = frozenset({"requests", "limits"})


def differences(desired: Manifest, observed: Manifest, manager: str) -> list[str]:
    """Paths of fields to apply; none when the observed object is as desired."""
    missing = _missing(desired, observed, "", "")
    return missing + [path for path in _leftover(desired, observed, manager) if path not in missing]


def _missing(desired: Any, observed: Any, path: str, field: str) -> list[str]:
    if isinstance(desired, dict) and isinstance(observed, dict):
        if field in _QUANTITIES:
            return [] if _amounts(desired) == _amounts(observed) else [path]
        found: list[str] = []
        for name, value in desired.items():
            if path == "metadata" and name == "resourceVersion":  # a precondition, not a wish
                continue
            inner = f"{path}.{name}" if path else name
            found += _missing(value, observed[name], inner, name) if name in observed else [inner]
        return found
    if isinstance(desired, list) and isinstance(observed, list):
        if keys := _keys_of(field, desired):
            by_key = {_identity(item, keys): item for item in observed}
            found = []
            for item in desired:
                name = _identity(item, keys)
                inner = f"{path}[{','.join(str(part) for part in name)}]"
                found += _missing(item, by_key[name], inner, "") if name in by_key else [inner]
            return found
        if len(desired) != len(observed):
            return [path]
        return [
            inner
            for index, (one, other) in enumerate(zip(desired, observed, strict=True))
            for inner in _missing(one, other, f"{path}[{index}]", "")
        ]
    if field == "sizeLimit":
        return [] if amount(desired) == amount(observed) else [path]
    return [] if desired == observed else [path]


def _keys_of(field: str, items: list[Any]) -> tuple[str, ...]:
    if field == "ports":
        return ("containerPort", "protocol") if "containerPort" in items[0] else ("port", "protocol")
    return _MERGE_KEYS.get(field, ())


def _identity(item: Manifest, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key) for key in keys)


def _amounts(amounts: dict[str, str]) -> dict[str, Decimal]:
    return {name: amount(value) for name, value in amounts.items()}


def _leftover(desired: Manifest, observed: Manifest, manager: str) -> list[str]:
    for entry in observed["metadata"].get("managedFields", ()):
        if entry["manager"] == manager and entry["operation"] == "Apply" and not entry.get("subresource"):
            return _not_desired(entry["fieldsV1"], desired, "")
    # Never applied by us: whatever it holds, an apply must make the fields ours.
    return ["metadata.managedFields"]


def _not_desired(fields: Manifest, desired: Any, path: str) -> list[str]:
    """Owned fields (`f:name`, `k:{"key":…}`, `v:value`) that the desired manifest no longer holds."""
    found: list[str] = []
    for name, inner in fields.items():
        prefix, _, text = name.partition(":")
        match prefix:
            case "f":
                here, at = (
                    (desired.get(text, _ABSENT) if isinstance(desired, dict) else _ABSENT),
                    f"{path}.{text}",
                )
            case "k":
                wanted = json.loads(text)
                items = desired if isinstance(desired, list) else []
                here = next((i for i in items if all(i.get(k) == v for k, v in wanted.items())), _ABSENT)
                at = f"{path}[{','.join(str(value) for value in wanted.values())}]"
            case "v":
                here, at = (
                    json.loads(text) if json.loads(text) in (desired or []) else _ABSENT,
                    f"{path}[{text}]",
                )
            case _:  # ".": the object itself
                continue
        if here is _ABSENT:
            found.append(at.lstrip("."))
        else:
            found += _not_desired(inner, here, at)
    return found


_ABSENT = object()
