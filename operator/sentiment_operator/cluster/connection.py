"""Where the API server is and who we are to it: the pod's service account, or a kubeconfig."""

import base64
import os
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_SECONDS = 60.0  # the kubelet renews the file long before a token ends


class ConnectionConfigError(Exception):
    """No way to the API server was found; the message says what to give."""


@dataclass
class Connection:
    """An API server and credentials for it."""

    server: str
    tls: ssl.SSLContext
    namespace: str
    token: str | None = None
    token_file: Path | None = None
    _read_at: float = field(default=float("-inf"))

    def headers(self) -> dict[str, str]:
        """The Authorization header; empty with a client certificate."""
        if self.token_file and time.monotonic() - self._read_at > _TOKEN_SECONDS:
            self.token, self._read_at = self.token_file.read_text().strip(), time.monotonic()
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def find_connection() -> Connection:
    """In a pod the service account's, else the current context of KUBECONFIG or ~/.kube/config."""
    if (_ACCOUNT / "token").exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        return Connection(
            server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            tls=ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt")),
            namespace=(_ACCOUNT / "namespace").read_text().strip(),
            token_file=_ACCOUNT / "token",
        )
    given = os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config")).split(os.pathsep)
    path = next((Path(one) for one in given if one and Path(one).exists()), None)
    if path is None:
        raise ConnectionConfigError(
            f"no cluster: this is no pod, and there is no kubeconfig at {', '.join(given)}; set KUBECONFIG"
        )
    return from_kubeconfig(path)


def from_kubeconfig(path: Path) -> Connection:
    """The current context of one file. Raises ConnectionConfigError with what is missing."""
    config = yaml.safe_load(path.read_text()) or {}
    context = _named(config, "contexts", config.get("current-context"), path)["context"]
    cluster = _named(config, "clusters", context["cluster"], path)["cluster"]
    user = _named(config, "users", context["user"], path)["user"] or {}
    if used := {"exec", "auth-provider"} & user.keys():
        raise ConnectionConfigError(
            f"{path}: user {context['user']} gets credentials from a program ({', '.join(used)}), which "
            "is not supported: use a token (kubectl create token) or a client certificate"
        )
    authority = _content(cluster, "certificate-authority", path)
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    _load_client_certificate(tls, user, path)
    token_file = user.get("tokenFile")
    return Connection(
        server=cluster["server"].rstrip("/"),
        tls=tls,
        namespace=context.get("namespace", "default"),
        token=user.get("token"),
        token_file=path.parent / token_file if token_file else None,
    )


def _load_client_certificate(tls: ssl.SSLContext, user: dict[str, Any], path: Path) -> None:
    certificate, key = _content(user, "client-certificate", path), _content(user, "client-key", path)
    if certificate is None or key is None:
        return
    # The ssl module reads certificates from files only.
    with tempfile.NamedTemporaryFile() as both:
        both.write(certificate + b"\n" + key)
        both.flush()
        tls.load_cert_chain(both.name)


def _named(config: dict[str, Any], kind: str, name: str | None, path: Path) -> dict[str, Any]:
    for item in config.get(kind) or ():
        if item["name"] == name:
            return dict(item)
    raise ConnectionConfigError(f"{path}: {kind} holds no {name!r}; see `kubectl config view`")


def _content(holder: dict[str, Any], name: str, path: Path) -> bytes | None:
    if data := holder.get(f"{name}-data"):
        return base64.b64decode(data)
    return (path.parent / holder[name]).read_bytes() if holder.get(name) else None
