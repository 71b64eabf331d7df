"""What tests against an API server do with SentimentServices, in kubectl's words."""

import time
from typing import Any

from sentiment_operator.api.v1alpha1 import API_VERSION, KIND

from .conftest import Api, Operator, wait_for


def manifest(name: str = "reviews", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def apply(api: Api, namespace: str, name: str = "reviews", **spec: Any) -> None:
    api("-n", namespace, "apply", "--server-side", "-f", "-", stdin=manifest(name, **spec))


def ready(api: Api, namespace: str, name: str = "reviews") -> dict[str, Any]:
    """The Ready condition, when the status speaks of the newest spec."""
    found = api.get("-n", namespace, "sentimentservice", name)
    status = found.get("status", {})
    if status.get("observedGeneration") != found["metadata"]["generation"]:
        return {}
    return next((c for c in status["conditions"] if c["type"] == "Ready"), {})


def exists(api: Api, namespace: str, kind: str, name: str) -> Any:
    return api("-n", namespace, "get", kind, name, "--ignore-not-found", "-o", "name").strip()


def field(api: Api, namespace: str, kind: str, name: str, path: str) -> str:
    return api("-n", namespace, "get", kind, name, "--ignore-not-found", "-o", f"jsonpath={{{path}}}")


def is_new(api: Api, namespace: str, kind: str, old_uid: str) -> bool:
    return field(api, namespace, kind, "reviews", ".metadata.uid") not in ("", old_uid)


def children_made(api: Api, namespace: str, name: str = "reviews") -> bool:
    names = (("pvc", f"{name}-models"), ("service", name), ("deployment", name))
    return all(exists(api, namespace, kind, child) for kind, child in names)


def settle(api: Api, operator: Operator, namespace: str) -> float:
    """Wait until a pass over the service makes no call; the calls so far."""

    def told() -> bool:
        status = api.get("-n", namespace, "sentimentservice", "reviews").get("status", {})
        made = api.get("-n", namespace, "deployment", "reviews")
        now = made.get("status", {})
        refused = {c["reason"] for c in now.get("conditions", ()) if c["type"] == "ReplicaFailure"}
        done = refused or now.get("replicas") == made["spec"]["replicas"]
        said = refused <= {c["reason"] for c in status.get("conditions", ())}
        return bool(done and said and status.get("replicas", 0) == now.get("replicas", 0))

    def quiet() -> bool:
        calls = operator.writes()
        touch(api, operator, namespace)
        return operator.writes() == calls

    # The calls are those about all objects.
    alone(api)
    # The status follows a second after what it tells: not quiet before.
    wait_for("pods in the status", told)
    wait_for("quiet operator", quiet)
    return operator.writes()


def alone(api: Api) -> None:
    """Wait for the end of other tests' namespaces: what goes there, in any order, is made anew until then."""
    wait_for("end of other namespaces", lambda: "Terminating" not in api("get", "namespaces"), 60)


def touch(api: Api, operator: Operator, namespace: str) -> None:
    """Change what the operator has no interest in, and wait for the pass that this brings."""
    passes = operator.passes()
    api("-n", namespace, "annotate", "sentimentservice", "reviews", "--overwrite", f"x={time.monotonic_ns()}")
    wait_for("pass", lambda: operator.passes() > passes)
