"""Names, labels and ownership of children."""

import re
from collections.abc import Mapping
from typing import Any

from ..api.v1alpha1 import API_VERSION, KIND, MODEL_KIND, Owner

MANAGER = "sentiment-operator"
NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
MANAGED_BY = "app.kubernetes.io/managed-by"
# Kind of the owner → value of NAME on all that it owns.
NAMES = {KIND: "sentiment-service", MODEL_KIND: "sentiment-model"}
_COMPONENTS = {KIND: "server", MODEL_KIND: "model"}
_MODEL = "model.sentiment-operator.io/"
_VERSION = "app.kubernetes.io/version"


def selector(owner: Owner) -> dict[str, str]:
    """The immutable selector: nothing here may ever change, and nothing of the user's is in it."""
    return {NAME: NAMES[owner.kind], INSTANCE: owner.name}


def labels(owner: Owner) -> dict[str, str]:
    """The labels that Kubernetes recommends, without the version: only what runs an image has one."""
    return {
        **selector(owner),
        MANAGED_BY: MANAGER,
        "app.kubernetes.io/component": _COMPONENTS[owner.kind],
        "app.kubernetes.io/part-of": "sentiment-operator",
    }


def model_label(model: str) -> str:
    """On pods: that they mount the volume of this SentimentModel; the value is the package."""
    return f"{_MODEL}{model}"


def mounted_packages(meta: Mapping[str, Any]) -> dict[str, str]:
    """SentimentModel → package, by the labels of pods or of their template."""
    found: Mapping[str, str] = meta.get("labels") or {}
    return {key.removeprefix(_MODEL): value for key, value in found.items() if key.startswith(_MODEL)}


def version(image: str) -> dict[str, str]:
    """The version label of what runs an image: its tag, where it has one that can be a label's value."""
    match = re.search(r":([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)$", image)
    return {_VERSION: match[1]} if match and "@" not in image else {}


def metadata(
    owner: Owner,
    name: str,
    *,
    owned: bool = True,
    more_labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A child's metadata; a child that isn't owned outlives its owner."""
    made: dict[str, Any] = {"name": name, "namespace": owner.namespace}
    made["labels"] = {**(more_labels or {}), **labels(owner)}
    if annotations:
        made["annotations"] = dict(annotations)
    if owned:
        made["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": owner.kind,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return made
