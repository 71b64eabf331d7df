"""Certificates and kubeconfigs of one cluster: a fresh CA each time."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .paths import ClusterPaths

# component → (common name, organisation); see Kubernetes' "PKI certificates and requirements"
_IDENTITIES = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", None),
    "kube-scheduler": ("system:kube-scheduler", None),
    "kube-proxy": ("system:kube-proxy", None),
    "front-proxy": ("front-proxy", None),
    "apiserver": ("kube-apiserver", None),
}


@dataclass(frozen=True)
class Pki:
    """The files of a cluster's certificates."""

    folder: Path

    def crt(self, name: str) -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"


def create_pki(paths: ClusterPaths, nodes: int) -> Pki:
    """Make the CA, one certificate per component and per node's kubelet, and the service-account key pair."""
    paths.pki.mkdir(parents=True, mode=0o700)
    pki = Pki(paths.pki)
    ca = trustme.CA()
    ca.cert_pem.write_to_path(pki.crt("ca"))
    api = "kubernetes.default"
    names = ["localhost", "127.0.0.1", "10.96.0.1", "kubernetes", api]
    names += [f"{api}.svc", f"{api}.svc.cluster.local"]
    kubelets = {}
    for index in range(1, nodes + 1):
        names += [f"node{index}", f"10.88.0.{index}"]
        kubelets[f"kubelet-node{index}"] = (f"system:node:node{index}", "system:nodes")
    for component, (common_name, organisation) in (_IDENTITIES | kubelets).items():
        cert = ca.issue_cert(*names, common_name=common_name, organization_name=organisation)
        pki.crt(component).write_bytes(b"".join(blob.bytes() for blob in cert.cert_chain_pems))
        cert.private_key_pem.write_to_path(pki.key(component))
    account = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pki.key("service-account").write_bytes(
        account.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    pki.crt("service-account").write_bytes(
        account.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    for key in paths.pki.glob("*.key"):
        key.chmod(0o600)
    return pki


def write_kubeconfig(pki: Pki, component: str, server: str, path: Path, context: str) -> None:
    """Write a kubeconfig (JSON, which is YAML) that holds all it needs."""

    def data(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [
            {
                "name": context,
                "cluster": {"server": server, "certificate-authority-data": data(pki.crt("ca"))},
            }
        ],
        "users": [
            {
                "name": context,
                "user": {
                    "client-certificate-data": data(pki.crt(component)),
                    "client-key-data": data(pki.key(component)),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
    }
    path.write_text(json.dumps(config, indent=1))
    path.chmod(0o600)
