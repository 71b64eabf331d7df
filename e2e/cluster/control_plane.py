"""etcd, API server, controller manager and scheduler as plain processes.

Inside the node they use fixed ports in its own network namespace; alone, for
API-server tests, free ports on loopback.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ClusterError
from .paths import ClusterPaths
from .pki import Pki, create_pki, write_kubeconfig

SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR = "10.244.0.0/16"


@dataclass(frozen=True)
class Endpoints:
    """Addresses and ports of one control plane."""

    advertise: str | None  # None: reached over loopback only
    secure_port: int
    etcd_port: int
    etcd_peer_port: int
    controllers_port: int
    scheduler_port: int

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.secure_port}"


@dataclass
class Supervisor:
    """Starts programs with a log file each, and stops them in reverse order; they don't outlive it."""

    binaries: Path
    logs: Path
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        path = f"{self.binaries}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        with (self.logs / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", str(self.binaries / name), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PATH": path},
            )

    def wait_until(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for a program; raise ClusterError with its log's end when it dies or is late."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = self.processes[name].poll() is not None
            if ended or time.monotonic() > deadline:
                lines = (self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-12:]
                verb = "ended" if ended else f"was not ready after {seconds:.0f} s"
                raise ClusterError(f"{name} {verb}; the end of its log:\n" + "\n".join(lines))
            time.sleep(0.1)

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()


def start_control_plane(
    supervisor: Supervisor, paths: ClusterPaths, endpoints: Endpoints, *, nodes: int
) -> Pki:
    """Start all parts and wait until the API server is ready; without nodes there is no scheduler."""
    pki = create_pki(paths, nodes)
    for component in ("admin", "kube-controller-manager", "kube-scheduler"):
        write_kubeconfig(pki, component, endpoints.server, paths.component_kubeconfig(component), paths.name)
    client, peer = (f"http://127.0.0.1:{port}" for port in (endpoints.etcd_port, endpoints.etcd_peer_port))
    supervisor.start(
        "etcd",
        f"--data-dir={paths.root / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # the cluster never outlives the machine
        "--log-level=warn",
    )
    audit = [] if nodes else _audit_flags(paths)
    supervisor.start("kube-apiserver", *_apiserver_flags(paths, pki, endpoints, client), *audit)
    admin = paths.component_kubeconfig("admin")
    supervisor.wait_until("kube-apiserver", lambda: _readyz(supervisor.binaries, admin), 60)
    supervisor.start(
        "kube-controller-manager",
        f"--kubeconfig={paths.component_kubeconfig('kube-controller-manager')}",
        f"--service-account-private-key-file={pki.key('service-account')}",
        f"--root-ca-file={pki.crt('ca')}",
        f"--cluster-signing-cert-file={pki.crt('ca')}",
        f"--secure-port={endpoints.controllers_port}",
        # Hundreds of Deployments a minute: the default of 20 writes per second would be measured instead.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--use-service-account-credentials",
        "--allocate-node-cidrs",
        f"--cluster-cidr={POD_CIDR}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--leader-elect=false",
        "--horizontal-pod-autoscaler-sync-period=5s",
    )
    if nodes:
        supervisor.start(
            "kube-scheduler",
            f"--kubeconfig={paths.component_kubeconfig('kube-scheduler')}",
            f"--secure-port={endpoints.scheduler_port}",
            "--leader-elect=false",
        )
    return pki


def _audit_flags(paths: ClusterPaths) -> list[str]:
    """A line for each finished request of a client's, so that tests and benchmarks can count them."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "users": ["system:kube-controller-manager", "system:apiserver"]},
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "Metadata"},
        ],
    }
    file = paths.root / "audit-policy.json"
    file.write_text(json.dumps(policy))
    return [f"--audit-policy-file={file}", f"--audit-log-path={paths.audit_log}", "--audit-log-mode=blocking"]


def _readyz(binaries: Path, kubeconfig: Path) -> bool:
    command = [str(binaries / "kubectl"), f"--kubeconfig={kubeconfig}", "get", "--raw=/readyz"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _apiserver_flags(paths: ClusterPaths, pki: Pki, endpoints: Endpoints, etcd: str) -> list[str]:
    return [
        f"--etcd-servers={etcd}",
        f"--bind-address={'0.0.0.0' if endpoints.advertise else '127.0.0.1'}",  # noqa: S104
        # Loopback can't be advertised; RFC 5737 keeps this address for nobody.
        f"--advertise-address={endpoints.advertise or '192.0.2.1'}",
        f"--secure-port={endpoints.secure_port}",
        f"--cert-dir={paths.pki}",
        f"--tls-cert-file={pki.crt('apiserver')}",
        f"--tls-private-key-file={pki.key('apiserver')}",
        f"--client-ca-file={pki.crt('ca')}",
        f"--service-account-key-file={pki.crt('service-account')}",
        f"--service-account-signing-key-file={pki.key('service-account')}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={pki.crt('ca')}",
        f"--kubelet-client-certificate={pki.crt('admin')}",
        f"--kubelet-client-key={pki.key('admin')}",
        # The aggregation layer, for metrics-server.
        f"--requestheader-client-ca-file={pki.crt('ca')}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki.crt('front-proxy')}",
        f"--proxy-client-key-file={pki.key('front-proxy')}",
    ]
