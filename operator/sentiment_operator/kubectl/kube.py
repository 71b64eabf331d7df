"""The cluster, by way of the user's own kubectl: its contexts, credential plug-ins and proxies all work."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ..api.v1alpha1 import API_VERSION, MODEL_PLURAL, PLURAL

Manifest = dict[str, Any]
PORT = 7860
_SECONDS = 60.0


class KubeError(Exception):
    """What kubectl, the API server or the service said; `status` is HTTP's, 0 without one."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Target:
    """A service or model of one namespace."""

    name: str
    namespace: str
    plural: str = PLURAL

    @classmethod
    def parse(cls, given: str, namespace: str) -> "Target":
        """`NAME` is a service; `smodel/NAME` is a model."""
        kind, slash, name = given.rpartition("/")
        if not slash or kind in ("ssvc", "sentimentservice", PLURAL):
            return cls(name, namespace)
        if kind in ("smodel", "sentimentmodel", MODEL_PLURAL):
            return cls(name, namespace, MODEL_PLURAL)
        raise KubeError(f"{given!r} is neither a service (NAME) nor a model (smodel/NAME)")

    @property
    def selector(self) -> str:
        """Of its pods; what the operator never changes."""
        label = "sentiment-service" if self.plural == PLURAL else "sentiment-model"
        return f"app.kubernetes.io/name={label},app.kubernetes.io/instance={self.name}"


class Api:
    """The API server, and through it the pods."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, path: str, **query: str) -> Manifest:
        """JSON from the API server; raises KubeError."""
        found: Manifest = self._send("GET", path, params=query).json()
        return found

    def text(self, path: str) -> str:
        """The same, as it is."""
        return self._send("GET", path).text

    def find(self, path: str, **query: str) -> Manifest | None:
        """None where there is none, or this user may not look."""
        try:
            return self.get(path, **query)
        except KubeError as error:
            if error.status in (403, 404, 503):
                return None
            raise

    def post(self, path: str, body: Any, headers: dict[str, str]) -> Manifest:
        """JSON to a service and back."""
        found: Manifest = self._send("POST", path, json=body, headers=headers).json()
        return found

    def custom(self, target: Target) -> Manifest:
        """The SentimentService or SentimentModel itself."""
        path = f"/apis/{API_VERSION}/namespaces/{target.namespace}/{target.plural}/{target.name}"
        return self.get(path)

    def pods(self, target: Target) -> list[Manifest]:
        """Its pods, the newest first."""
        found = self.get(f"/api/v1/namespaces/{target.namespace}/pods", labelSelector=target.selector)
        return sorted(found["items"], key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            response = self.http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise KubeError(f"no answer: {error or type(error).__name__}") from error
        if response.is_error:
            raise KubeError(_words(response), response.status_code)
        return response


def proxied(target: Target, path: str, pod: str | None = None) -> str:
    """A path of the service, or of one of its pods, on the API server."""
    kind, name = ("pods", f"{pod}:{PORT}") if pod else ("services", f"{target.name}:{PORT}")
    return f"/api/v1/namespaces/{target.namespace}/{kind}/{name}/proxy/{path}"


@dataclass(frozen=True)
class Kube:
    """kubectl with the flags that choose cluster and namespace."""

    flags: list[str] = field(default_factory=list)
    namespace: str | None = None

    def run(self, *arguments: str) -> str:
        """What kubectl prints; raises KubeError with its words."""
        try:
            done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise KubeError("there is no kubectl in PATH: https://kubernetes.io/docs/tasks/tools/") from None
        if done.returncode:
            raise KubeError(done.stderr.strip() or f"kubectl {arguments[0]} failed")
        return done.stdout

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return ["kubectl", *self.flags, *arguments]

    def target(self, given: str) -> Target:
        """In the namespace that was chosen, else the context's."""
        current = self.namespace or self.run("config", "view", "--minify", "-o", "jsonpath={..namespace}")
        return Target.parse(given, current or "default")

    @contextmanager
    def connect(self) -> Iterator[Api]:
        """By `kubectl proxy` on a socket in a folder that only this user can enter."""
        with tempfile.TemporaryDirectory() as folder:
            socket = Path(folder, "api")
            command = self.command("proxy", f"--unix-socket={socket}")
            try:
                proxy = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            except FileNotFoundError:
                raise KubeError(
                    "there is no kubectl in PATH: https://kubernetes.io/docs/tasks/tools/"
                ) from None
            with proxy:
                try:
                    assert proxy.stdout is not None
                    assert proxy.stderr is not None
                    if not proxy.stdout.readline():
                        raise KubeError(proxy.stderr.read().strip() or "kubectl proxy ended")
                    transport = httpx.HTTPTransport(uds=str(socket))
                    with httpx.Client(
                        base_url="http://localhost", transport=transport, timeout=_SECONDS
                    ) as http:
                        yield Api(http)
                finally:
                    proxy.terminate()


def _words(response: httpx.Response) -> str:
    try:
        body = response.json()
    except json.JSONDecodeError:
        return response.text.strip()[:300] or response.reason_phrase
    if isinstance(body.get("error"), dict):  # the service's own envelope
        return f"{body['error']['message']} ({body['error']['code']})"
    return str(body.get("message", response.reason_phrase))
