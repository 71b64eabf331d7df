"""A thin client over the official package: get, list, server-side apply, delete, events."""

import json
from collections.abc import Sequence
from typing import Any

from kubernetes import client, config
from prometheus_client import Counter
from urllib3.exceptions import HTTPError

from ..api.kinds import CHILDREN, POD
from ..api.v1alpha1 import API_VERSION, GROUP, KIND, PLURAL, VERSION

Manifest = dict[str, Any]

FIELD_MANAGER = "sentiment-operator"
API_CALLS = Counter("sentiment_operator_api_calls", "Calls to the API server", ["verb", "kind", "code"])

# kind → (path prefix, plural)
RESOURCES = {
    **{known.kind: (known.prefix, known.plural) for known in (*CHILDREN, POD)},
    KIND: (f"/apis/{GROUP}/{VERSION}", PLURAL),
}


class ApiError(Exception):
    """The API server said no. `code` is the HTTP status, `message` its own words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Cluster:
    """Blocking calls; the reconciler runs them in threads."""

    def __init__(self) -> None:
        try:
            config.load_incluster_config()  # type: ignore[no-untyped-call]
        except config.ConfigException:
            config.load_kube_config()  # type: ignore[no-untyped-call]
        self._api = client.ApiClient()

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, or None when there is none."""
        try:
            return self._call("GET", kind, _path(kind, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def apply(self, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Server-side apply with the operator's own field manager; returns what the server holds then."""
        meta = manifest["metadata"]
        path = _path(manifest["kind"], meta["namespace"], meta["name"])
        if subresource:
            path = f"{path}/{subresource}"
        query = [("fieldManager", FIELD_MANAGER), ("force", "true")]
        return self._call(
            "PATCH", manifest["kind"], path, manifest, query, content_type="application/apply-patch+yaml"
        )

    def delete(self, manifest: Manifest) -> None:
        """Delete exactly this object: one made anew under its name is left alone."""
        meta = manifest["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": meta["uid"]},
        }
        try:
            path = _path(manifest["kind"], meta["namespace"], meta["name"])
            self._call("DELETE", manifest["kind"], path, body)
        except ApiError as error:
            if error.code not in (404, 409):  # gone, or not the one that was meant
                raise

    def record_event(self, owner: Manifest, event_type: str, reason: str, message: str, now: str) -> None:
        """Write an Event about a SentimentService, as `kubectl describe` shows it."""
        meta = owner["metadata"]
        reference = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        }
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
            "involvedObject": reference,
            "type": event_type,
            "reason": reason,
            "message": message[:1024],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
        }
        self._call("POST", "Event", f"/api/v1/namespaces/{meta['namespace']}/events", event)

    def list(self, kind: str, namespace: str | None, label_selector: str = "") -> list[Manifest]:
        """All objects of a kind, of one namespace or (None) of all."""
        prefix, plural = RESOURCES[kind]
        path = f"{prefix}/namespaces/{namespace}/{plural}" if namespace else f"{prefix}/{plural}"
        answer = self._call("GET", kind, path, query=[("labelSelector", label_selector)])
        # The server leaves both out of a list's items.
        return [{"apiVersion": answer["apiVersion"], "kind": kind, **item} for item in answer["items"]]

    def _call(
        self,
        verb: str,
        kind: str,
        path: str,
        body: Manifest | None = None,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
    ) -> Manifest:
        request = self._api.param_serialize(
            verb,
            path,
            query_params=list(query),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._api.call_api(*request, _request_timeout=(5, 30))
            response.read()  # type: ignore[no-untyped-call]
        except HTTPError as error:
            API_CALLS.labels(verb, kind, "none").inc()
            raise ApiError(0, f"the API server does not answer: {error}") from error
        API_CALLS.labels(verb, kind, str(response.status)).inc()
        text = (response.data or b"").decode()
        if not 200 <= response.status < 300:
            raise ApiError(response.status, _message(text) or str(response.reason))
        parsed: Manifest = json.loads(text)
        return parsed


def _path(kind: str, namespace: str, name: str) -> str:
    prefix, plural = RESOURCES[kind]
    return f"{prefix}/namespaces/{namespace}/{plural}/{name}"


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200]
