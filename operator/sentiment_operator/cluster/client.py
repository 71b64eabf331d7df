"""What the operator asks of the API server."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from ..api.kinds import CHILDREN, CUSTOM_METRICS, HPA_TOLERANCE, IMAGE_VOLUME, POD, Kind
from ..api.v1alpha1 import API_VERSION, GROUP, KIND, MODEL_KIND, MODEL_PLURAL, PLURAL, VERSION
from .http import ApiError, Http

Manifest = dict[str, Any]

FIELD_MANAGER = "sentiment-operator"
SERVICE = Kind(KIND, GROUP, VERSION, PLURAL)
MODEL = Kind(MODEL_KIND, GROUP, VERSION, MODEL_PLURAL)
KINDS = {known.kind: known for known in (SERVICE, MODEL, *CHILDREN, POD)}
WRITE_SECONDS = 3.5  # shorter than the time between the last permitted write and the end of the Lease
_PAGE = "200"
# All groups at once; Kubernetes 1.29 has it as v2beta1 alone, with the same fields.
_DISCOVERY = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)


class Cluster:
    """`reads` carries lists and watches, `writes` (whose requests the Lease guards) all that a pass does."""

    def __init__(self, reads: Http, writes: Http) -> None:
        self._reads = reads
        self._writes = writes

    async def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, or None when there is none."""
        try:
            return await self._writes.call("GET", kind, path_of(kind, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def apply(self, manifest: Manifest, *, subresource: str = "") -> Manifest:
        """Server-side apply with the operator's own field manager; returns what the server holds then.

        A `metadata.resourceVersion` or `uid` in the manifest that the object does not have: ApiError 409.
        """
        meta = manifest["metadata"]
        path = path_of(manifest["kind"], meta["namespace"], meta["name"])
        return await self._write(
            "PATCH",
            manifest["kind"],
            f"{path}/{subresource}" if subresource else path,
            manifest,
            [("fieldManager", FIELD_MANAGER), ("force", "true")],
            content_type="application/apply-patch+yaml",
        )

    async def create(self, manifest: Manifest) -> Manifest:
        """Apply an object that must not exist yet: ApiError 409 when one of that name does."""
        meta = {**manifest["metadata"], "resourceVersion": "1"}
        return await self.apply({**manifest, "metadata": meta})

    async def delete(self, manifest: Manifest) -> None:
        """Delete exactly this object; ApiError 409 when it is another's name by now, or being changed."""
        meta = manifest["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": meta["uid"]},
        }
        path = path_of(manifest["kind"], meta["namespace"], meta["name"])
        try:
            await self._write("DELETE", manifest["kind"], path, body)
        except ApiError as error:
            if error.code != 404:
                raise

    async def record_event(
        self, owner: Manifest, event_type: str, reason: str, message: str, now: str
    ) -> None:
        """Write an Event about a service or model, as `kubectl describe` shows it."""
        meta = owner["metadata"]
        reference = {
            "apiVersion": API_VERSION,
            "kind": owner["kind"],
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
        await self._write("POST", "Event", f"/api/v1/namespaces/{meta['namespace']}/events", event)

    async def last_warning(self, kind: str, namespace: str, name: str) -> str:
        """What the newest Event of type Warning says about an object; empty when there is none."""
        fields = {"involvedObject.kind": kind, "involvedObject.name": name, "type": "Warning"}
        query = [("fieldSelector", ",".join(f"{field}={value}" for field, value in fields.items()))]
        found = await self._writes.call("GET", "Event", f"/api/v1/namespaces/{namespace}/events", query=query)
        events = sorted(found["items"], key=lambda event: int(event["metadata"]["resourceVersion"]))
        return str(events[-1].get("message", "")) if events else ""

    async def pages(
        self, kind: Kind, namespace: str | None, label_selector: str
    ) -> AsyncIterator[tuple[list[Manifest], str]]:
        """All objects of a kind in one namespace or (None) all, by pages: (objects, list version)."""
        token = ""
        while True:
            query = [("labelSelector", label_selector), ("limit", _PAGE), ("continue", token)]
            answer = await self._reads.call("GET", kind.kind, _collection(kind, namespace), query=query)
            meta = answer["metadata"]
            # The server leaves both out of a list's items.
            head = {"apiVersion": answer["apiVersion"], "kind": kind.kind}
            yield [{**head, **item} for item in answer["items"]], meta["resourceVersion"]
            token = meta.get("continue", "")
            if not token:
                return

    def watch(
        self,
        kind: Kind,
        namespace: str | None,
        label_selector: str,
        version: str,
        *,
        seconds: float,
        silence_seconds: float,
    ) -> AsyncGenerator[Manifest]:
        """Watch events (`type`, `object`) after a version, bookmarks included, for at most `seconds`."""
        query = [
            ("watch", "true"),
            ("labelSelector", label_selector),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(max(1, int(seconds)))),
        ]
        path = _collection(kind, namespace)
        return self._reads.stream(kind.kind, path, query, silence_seconds=silence_seconds)

    async def offers(self) -> frozenset[str]:
        """What the cluster offers beyond what every cluster has, in the words of api.kinds.

        Discovery is open to every account: no rights on CustomResourceDefinitions are needed.
        """
        answer = await self._reads.call("GET", "APIGroup", "/apis", accept=_DISCOVERY)
        served = {
            (group["metadata"]["name"], version["version"], resource["resource"])
            for group in answer["items"]
            for version in group["versions"]
            for resource in version.get("resources", ())
        }
        groups = {group["metadata"]["name"] for group in answer["items"]}
        found = {
            known.kind
            for known in CHILDREN
            if known.optional and (known.group, known.version, known.plural) in served
        }
        if CUSTOM_METRICS in groups:
            found.add(CUSTOM_METRICS)
        release = await self._reads.call("GET", "Version", "/version")
        if (int(release["major"]), int(release["minor"].rstrip("+"))) >= (1, 35):
            found |= {HPA_TOLERANCE, IMAGE_VOLUME}
        return frozenset(found)

    async def _write(
        self,
        verb: str,
        kind: str,
        path: str,
        body: Manifest,
        query: list[tuple[str, str]] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        # The server keeps to the deadline too, so that nothing is written after it.
        bounded = [*(query or ()), ("timeout", f"{int(WRITE_SECONDS * 1000)}ms")]
        return await self._writes.call(
            verb, kind, path, body, bounded, content_type=content_type, seconds=WRITE_SECONDS
        )


def _collection(kind: Kind, namespace: str | None) -> str:
    return (
        f"{kind.prefix}/namespaces/{namespace}/{kind.plural}" if namespace else f"{kind.prefix}/{kind.plural}"
    )


def path_of(kind: str, namespace: str, name: str) -> str:
    """An object's path on the server."""
    return f"{_collection(KINDS[kind], namespace)}/{name}"
