"""Objects as a cluster would hold them, for tests of pure decisions."""

from typing import Any

from sentiment_operator.api.v1alpha1 import API_VERSION, KIND, MODEL_KIND, Owner

OWNER = Owner(name="reviews", namespace="shop", uid="u1")
MODEL_OWNER = Owner(kind=MODEL_KIND, name="reviews", namespace="shop", uid="m1")
REFERENCE = {"apiVersion": API_VERSION, "kind": KIND, "name": "reviews", "uid": "u1", "controller": True}


def service(version: int = 1, uid: str = "u1", **status: Any) -> dict[str, Any]:
    """A SentimentService."""
    meta = {"name": "reviews", "namespace": "shop", "uid": uid, "resourceVersion": str(version)}
    return {"kind": KIND, "metadata": {**meta, "generation": 1}, "spec": {}, "status": status}


def child(kind: str, name: str = "reviews", version: int = 1, uid: str = "c1", **more: Any) -> dict[str, Any]:
    """An object that the SentimentService owns."""
    meta = {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": str(version)}
    return {"kind": kind, "metadata": {**meta, "generation": 1, "ownerReferences": [REFERENCE]}, **more}


def deployment(**status: Any) -> dict[str, Any]:
    """A Deployment whose controller has seen it."""
    spec: dict[str, Any] = {"template": {"spec": {"volumes": []}}}
    return child("Deployment", spec=spec, status={"observedGeneration": 1, **status})


def pod(
    name: str = "reviews-1", created: str = "2026-01-01T00:00:00Z", labelled: bool = True, **status: Any
) -> dict[str, Any]:
    """A pod of the Deployment: known by its labels, owned by a ReplicaSet."""
    labels = {"app.kubernetes.io/managed-by": "sentiment-operator", "app.kubernetes.io/instance": "reviews"}
    meta: dict[str, Any] = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}
    meta |= {"creationTimestamp": created, "managedFields": [{"manager": "kubelet"}]}
    return {"kind": "Pod", "metadata": meta | ({"labels": labels} if labelled else {}), "status": status}


def waiting(
    container: str, reason: str, message: str = "", last: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The status of a container that waits."""
    return {
        "name": container,
        "state": {"waiting": {"reason": reason, "message": message}},
        "lastState": {"terminated": last} if last else {},
    }
