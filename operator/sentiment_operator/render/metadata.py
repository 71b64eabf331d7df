"""Names, labels and ownership of children."""

from typing import Any

from ..api.v1alpha1 import API_VERSION, KIND, Owner

MANAGER = "sentiment-operator"
NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
MANAGED_BY = "app.kubernetes.io/managed-by"


def selector(owner: Owner) -> dict[str, str]:
    """The immutable selector: nothing here may ever change, and nothing of the user's is in it."""
    return {NAME: "sentiment-service", INSTANCE: owner.name}


def labels(owner: Owner) -> dict[str, str]:
    """The labels that Kubernetes recommends."""
    return {
        **selector(owner),
        MANAGED_BY: MANAGER,
        "app.kubernetes.io/part-of": "sentiment-operator",
    }


def metadata(owner: Owner, name: str, *, owned: bool = True) -> dict[str, Any]:
    """A child's metadata; a child that isn't owned outlives its SentimentService."""
    made: dict[str, Any] = {"name": name, "namespace": owner.namespace, "labels": labels(owner)}
    if owned:
        made["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return made
