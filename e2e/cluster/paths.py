"""Where things lie: caches keyed by content, and one folder per running cluster."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parents[2]
NODE_MODULE = Path(__file__).parent / "node"
ADDONS = Path(__file__).parent / "addons"


def cache_home() -> Path:
    """The project's cache folder, made if missing."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = Path(base) / "sentiment-operator"
    home.mkdir(parents=True, exist_ok=True)
    return home


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Keep other processes from making the same in the cache meanwhile."""
    with (cache_home() / f".{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def content_key(*parts: Path | str) -> str:
    """First 16 hex digits of the SHA-256 over names and contents of files, folders and strings."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
            continue
        files = sorted(p for p in part.rglob("*") if p.is_file()) if part.is_dir() else [part]
        for file in files:
            if "__pycache__" in file.parts:
                continue
            name = file.relative_to(part) if part.is_dir() else file.name
            digest.update(f"\0{name}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class ClusterPaths:
    """All files of one cluster; the folder is gone when the cluster is."""

    name: str

    @property
    def root(self) -> Path:
        return cache_home() / "clusters" / self.name

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for use from the host."""
        return self.root / "kubeconfig"

    @property
    def pid_file(self) -> Path:
        """Process id (as the host sees it) of the process that is the cluster."""
        return self.root / "pid"

    @property
    def audit_log(self) -> Path:
        """Requests to the API server, as JSON lines; control planes without nodes keep one."""
        return self.root / "audit.log"

    def component_kubeconfig(self, component: str) -> Path:
        return self.root / f"{component}.kubeconfig"
