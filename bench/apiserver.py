"""An API server without nodes, the operator's process on it, a bare client, and who answers for kubelets."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from sentiment_operator.api.kinds import CHILDREN, POD
from sentiment_operator.api.v1alpha1 import API_VERSION, GROUP, KIND, PLURAL, VERSION
from sentiment_operator.cluster.connection import Connection, from_kubeconfig

from bench.audit import AuditLog, Call
from bench.paths import ROOT
from e2e.cluster import embedded
from tests.operator.conftest import ACCOUNT, NAMESPACE, Api, Operator, with_account

USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
PATIENCE_SECONDS = 300.0
# As long as a pod takes to serve on an idle node, about.
POD_SECONDS = 3.0
_QUIET_SECONDS = 5.0
_PREFIX = f"/apis/{GROUP}/{VERSION}"
_PATCH = "application/strategic-merge-patch+json"
_PREFIXES = {kind.kind: (kind.prefix, kind.plural) for kind in CHILDREN}


class Client:
    """Requests of the benchmark's own, as administrator: nothing limits their rate but the server."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def send(self, verb: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """The answer; an error is an exception."""
        async with self._session.request(
            verb, self._server + path, data=body or None, headers={"Content-Type": kind}
        ) as answer:
            text = await answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{verb} {path}: {answer.status} {text[:300]!r}")
        return text

    async def post(self, path: str, manifest: Any) -> Any:
        return json.loads(await self.send("POST", path, json.dumps(manifest).encode()))

    async def get(self, path: str) -> Any:
        return json.loads(await self.send("GET", path))

    async def create_service(self, namespace: str, name: str, spec: dict[str, Any]) -> str:
        """Make a SentimentService; its uid."""
        manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
        made = await self.post(f"{_PREFIX}/namespaces/{namespace}/{PLURAL}", manifest)
        return str(made["metadata"]["uid"])

    async def create_namespace(self, name: str) -> None:
        await self.post("/api/v1/namespaces", {"metadata": {"name": name}})

    async def delete_namespace(self, name: str) -> None:
        """Delete it, and wait until all in it is gone."""
        path = f"/api/v1/namespaces/{name}"
        await self.send("DELETE", path)

        async def gone() -> bool:
            items = (await self.get("/api/v1/namespaces"))["items"]
            return all(item["metadata"]["name"] != name for item in items)

        await until(f"end of namespace {name}", gone)

    async def count(self, path: str) -> int:
        """How many objects a collection has, without reading them all."""
        meta = (await self.get(f"{path}?limit=1"))["metadata"]
        return 1 + int(meta.get("remainingItemCount", 0))

    async def watch(self, path: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """(type, object) of all objects that are and will be."""
        url = f"{self._server}{path}?watch=true"
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for line in answer.content:
                event = json.loads(line)
                yield event["type"], event["object"]


def bare_bodies(manifests: Sequence[dict[str, Any]]) -> list[tuple[str, bytes]]:
    """(path, body) of what a bare client creates; `OWNER-UID` stands for what only the server knows."""
    return [(collection(one), json.dumps(one).encode()) for one in manifests]


def collection(manifest: dict[str, Any]) -> str:
    prefix, plural = _PREFIXES[manifest["kind"]]
    return f"{prefix}/namespaces/{manifest['metadata']['namespace']}/{plural}"


class Kubelets:
    """Say of every new pod that it serves, some seconds after it was made: there is no node that could."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._answers: set[asyncio.Task[None]] = set()
        # namespace → names of the pods there, and of those that serve
        self.pods: dict[str, set[str]] = defaultdict(set)
        self._serving: dict[str, set[str]] = defaultdict(set)

    async def run(self) -> None:
        async for kind, pod in self._client.watch("/api/v1/pods"):
            meta = pod["metadata"]
            here = self.pods[meta["namespace"]]
            if kind == "DELETED":
                here.discard(meta["name"])
            elif meta["name"] not in here:
                here.add(meta["name"])
                task = asyncio.create_task(self._serve(meta["namespace"], meta["name"]))
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)

    async def _serve(self, namespace: str, name: str) -> None:
        await asyncio.sleep(POD_SECONDS)
        if name in self.pods[namespace]:
            await self.tell(namespace, name, ready=True)
            self._serving[namespace].add(name)

    async def all_serve(self, namespace: str, count: int) -> None:
        """Wait until so many pods of a namespace were said to serve; asks the server nothing meanwhile."""

        async def done() -> bool:
            return len(self._serving[namespace]) >= count

        await until(f"{count} pods", done)

    async def tell(self, namespace: str, name: str, *, ready: bool) -> None:
        """Write what a kubelet would."""
        path = f"{POD.prefix}/namespaces/{namespace}/pods/{name}/status"
        await self._client.send("PATCH", path, _pod_status(ready=ready), _PATCH)


def _pod_status(*, ready: bool) -> bytes:
    container = {"restartCount": 0, "image": "service:1", "imageID": ""}
    report = json.dumps({"name": "bundled", "digest": "sha256:0"})
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "message": report}}
    running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    status = {
        "phase": "Running",
        "conditions": [
            {"type": kind, "status": "True" if ready else "False"} for kind in ("Ready", "ContainersReady")
        ],
        "initContainerStatuses": [{**container, "name": "model", "ready": True, "state": ended}],
        "containerStatuses": [
            {**container, "name": "server", "ready": ready, "started": True, "state": running}
        ],
    }
    return json.dumps({"status": status}).encode()


class Bench:
    """All that a phase needs. The operator does not run before `operator.start()`."""

    def __init__(self, client: Client, kubelets: Kubelets, audit: AuditLog, operator: Operator) -> None:
        self.client = client
        self.kubelets = kubelets
        self.audit = audit
        self.operator = operator

    async def quiet(self) -> list[Call]:
        """Wait until the operator has written nothing for some seconds; the calls since the log was read."""
        calls: list[Call] = []
        last = time.monotonic()

        async def silent() -> bool:
            nonlocal last
            new = self.audit.new()
            calls.extend(new)
            if any(call.user == USER and call.writes and not call.of_lease for call in new):
                last = time.monotonic()
            return time.monotonic() - last > _QUIET_SECONDS

        await until("quiet operator", silent)
        return calls


async def until(what: str, probe: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    """Ask again and again."""
    end = time.monotonic() + seconds
    while not await probe():
        if time.monotonic() > end:
            raise RuntimeError(f"no {what} in {seconds:.0f} s")
        await asyncio.sleep(0.2)


async def together(work: Iterable[Any], connections: int) -> None:
    """Await all, so many at a time."""
    waiting = iter(work)

    async def one() -> None:
        for item in waiting:
            await item

    await asyncio.gather(*[one() for _ in range(connections)])


@asynccontextmanager
async def running(name: str) -> AsyncIterator[Bench]:
    """A control plane of its own with the kustomize install applied, but for the Deployment."""
    async with AsyncExitStack() as stack:
        paths = stack.enter_context(embedded.control_plane(name))
        kubectl = Api(embedded.kubectl(paths))
        kubectl("apply", "--server-side", "-k", str(ROOT / "manifests/install"))
        # Its pods would never run, and are in nobody's way but the figures'.
        kubectl("-n", NAMESPACE, "delete", "deployment", "sentiment-operator")
        kubectl("wait", "--for=condition=Established", "crd/sentimentservices.sentiment-operator.io")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        operator = Operator(with_account(kubectl, paths.kubeconfig, folder / "kubeconfig"), folder / "log")
        connection: Connection = from_kubeconfig(paths.kubeconfig)
        connector = aiohttp.TCPConnector(limit=0, ssl=connection.tls)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        client = Client(session, connection.server)
        kubelets = Kubelets(client)
        task = asyncio.create_task(kubelets.run())
        try:
            yield Bench(client, kubelets, AuditLog(paths.audit_log), operator)
        finally:
            task.cancel()
            if operator.process and operator.process.poll() is None:
                operator.stop()
