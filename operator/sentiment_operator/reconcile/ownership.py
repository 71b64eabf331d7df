"""Whose child an object is. Pure."""

from typing import Any

from ..api.v1alpha1 import Owner
from ..render.metadata import labels

Manifest = dict[str, Any]


def owned(owner: Owner, child: Manifest) -> bool:
    """Whether a child goes with this very object."""
    return any(reference["uid"] == owner.uid for reference in child["metadata"].get("ownerReferences", ()))


def is_ours(owner: Owner, child: Manifest) -> bool:
    """Owned by this very object, or one that `retain` left behind under our labels."""
    meta = child["metadata"]
    if meta.get("ownerReferences"):
        return owned(owner, child)
    return bool(labels(owner).items() <= (meta.get("labels") or {}).items())
