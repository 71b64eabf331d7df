"""The operator as its own process against a real API server, with no more rights than its manifests give."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from e2e.cluster.paths import ClusterPaths

ROOT = Path(__file__).parents[2]
CRDS = Path(__file__).parent / "crds"
NAMESPACE, ACCOUNT = "sentiment-operator-system", "sentiment-operator"


class KubectlError(Exception):
    """What kubectl said on standard error."""


@dataclass
class Api:
    """kubectl as admin."""

    command: list[str]

    def __call__(self, *arguments: str, stdin: Any = None) -> str:
        text = None if stdin is None else json.dumps(stdin)
        done = subprocess.run(
            [*self.command, *arguments], input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise KubectlError(done.stderr)
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self("get", *arguments, "-o", "json"))


def wait_for(what: str, probe: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true value of the probe; it is asked again and again until then."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, f"no {what} in {seconds:.0f} s"
        time.sleep(0.1)
    return found


@dataclass
class Operator:
    """`sentiment-operator run`."""

    kubeconfig: Path
    log: Path
    # Settings beyond what all tests share.
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> None:
        """Start and wait until it is ready."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        environment = os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "SERVICE_IMAGE": "service:1",
            "MODEL_IMAGE": "models:1",
            "POD_NAMESPACE": NAMESPACE,
            **self.environment,
        }
        command = [sys.executable, "-m", "sentiment_operator", "run", f"--port={self.port}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_for("ready operator", self._ready)

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """End it; the exit code."""
        assert self.process
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=30)

    def _ready(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        try:
            return bool(self._fetch("readyz"))
        except OSError:
            return False

    def _fetch(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def _sum(self, pattern: str) -> float:
        return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", self._fetch("metrics"), re.M))

    def writes(self) -> float:
        """Writes that the passes made so far (the Lease's are the election's)."""
        return self._sum(
            r'sentiment_operator_api_calls_total\{code="\d+",kind="(?!Lease)\w+",verb="(?:PATCH|POST|DELETE)"\}'
        )

    def leads(self) -> float:
        """1 if it holds the Lease."""
        return self._sum("sentiment_operator_leader")

    def passes(self) -> float:
        """Passes so far."""
        return self._sum(r"sentiment_operator_pass_duration_seconds_count\{[^}]*\}")


def with_account(
    api: Api, admin: Path, file: Path, namespace: str = NAMESPACE, account: str = ACCOUNT
) -> Path:
    """Write a kubeconfig with the rights that the manifests give to the operator."""
    token = api("-n", namespace, "create", "token", account, "--duration=4h").strip()
    config = yaml.safe_load(admin.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture(scope="session")
def api(control_plane: "ClusterPaths") -> Api:
    """The API server with the kustomize install applied."""
    from e2e.cluster import embedded

    kubectl = Api(embedded.kubectl(control_plane))
    kubectl("apply", "--server-side", "-k", str(ROOT / "manifests/install"))
    kubectl("wait", "--for=condition=Established", "--all", "crd")
    return kubectl


@pytest.fixture(scope="session")
def optional_kinds(api: Api) -> list[str]:
    """The optional kinds but for KEDA's, of which a test sees how it is installed later."""
    files = [path for path in sorted(CRDS.glob("*.yaml")) if not path.name.startswith("keda")]
    for path in files:
        api("apply", "--server-side", "-f", str(path))
    names = [yaml.safe_load(path.read_text())["metadata"]["name"] for path in files]
    api("wait", "--for=condition=Established", *(f"crd/{name}" for name in names))
    return names


@pytest.fixture(scope="session")
def operator(
    api: Api, control_plane: "ClusterPaths", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """A running operator with the rights of its service account."""
    folder = tmp_path_factory.mktemp("operator")
    running = Operator(with_account(api, control_plane.kubeconfig, folder / "kubeconfig"), folder / "log")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def namespace(api: Api, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:63].strip("-")
    api("create", "namespace", name)
    yield name
    api("delete", "namespace", name, "--wait=false")
