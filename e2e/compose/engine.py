"""A machine with Docker and Docker Compose, seen from outside: started, asked, switched off."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..cluster import cgroups
from ..cluster.build import Program, build_module
from ..cluster.embedded import check_host
from ..cluster.node import NAMESPACES
from ..cluster.packages import NODE_PACKAGES, ensure_packages
from ..cluster.paths import REPO, alone, cache_home
from ..cluster.progress import step
from ..cluster.shell import run
from .machine import address, programs

CGROUP = "sentiment-compose"
"""The cgroup folder that holds all of its containers."""
_VERSION = "v2.40.3"
_MODULE = Path(__file__).parent / "plugin"
_COMPOSE = Program(
    "docker-compose",
    "github.com/docker/compose/v2/cmd",
    stamp=f"-X github.com/docker/compose/v2/internal.Version={_VERSION}",
)
# It ends with who started it.
_START = ["setpriv", "--pdeathsig=KILL", "unshare", *NAMESPACES]
_FETCH = (
    "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=10).read().decode())"
)


@dataclass
class Machine:
    """Runs while `on`; its folder outlives a restart."""

    folder: Path
    _unshare: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def on(self) -> None:
        """Start it; Docker answers then."""
        with (self.folder / "machine.log").open("ab") as log:
            self._unshare = subprocess.Popen(
                [*_START, sys.executable, "-m", "e2e.compose.machine", self.folder, CGROUP],
                cwd=REPO,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            ended = self._unshare.poll() is not None
            if ended or time.monotonic() > deadline:
                logs = [self.folder / "machine.log", *self.folder.glob("logs/*.log")]
                raise RuntimeError("\n".join(log.read_text()[-2000:] for log in logs))
            time.sleep(0.1)

    def off(self) -> None:
        """Shut it down: Docker stops its containers as it is told to."""
        if self._unshare and self._unshare.poll() is None:
            with suppress(ValueError):
                os.kill(self._first(), signal.SIGTERM)
            try:
                self._unshare.wait(60)
            except subprocess.TimeoutExpired:
                self._unshare.kill()  # --kill-child takes process 1 and with it all the rest
                self._unshare.wait()

    def _first(self) -> int:
        """Its process 1, as the host sees it; ValueError before there is one."""
        assert self._unshare
        pid = self._unshare.pid
        [first] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(first)

    def _answers(self) -> bool:
        try:
            return self.attempt("docker", "version").returncode == 0
        except ValueError:
            return False

    def command(self, *words: str | Path, cwd: Path = Path("/")) -> list[str]:
        """The command line that runs a command on it."""
        enter = [f"--target={self._first()}", "--mount", "--net", "--pid", "--uts", "--ipc"]
        return ["nsenter", *enter, "env", f"--chdir={cwd}", *map(str, words)]

    def environment(self, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """What commands on it find: docker and its plugin."""
        return os.environ | {
            "PATH": f"{programs()}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "DOCKER_HOST": address(self.folder),
            "DOCKER_CONFIG": str(self.folder / "config"),
            **(given or {}),
        }

    def attempt(
        self, *words: str | Path, cwd: Path = Path("/"), env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command on it, whatever becomes of it."""
        return subprocess.run(
            self.command(*words, cwd=cwd),
            env=self.environment(env),
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *words: str | Path, cwd: Path = Path("/"), env: Mapping[str, str] | None = None) -> str:
        """Run a command on it and return its standard output."""
        what = " ".join(map(str, words[:3]))
        return run(self.command(*words, cwd=cwd), what=what, env=self.environment(env))

    def fetch(self, url: str) -> str:
        """What a server in its network answers; ClusterError when it does not."""
        return self.run(sys.executable, "-c", _FETCH, url)


@contextmanager
def machine() -> Iterator[Machine]:
    """One that is switched on, and gone without a trace afterwards."""
    check_host()
    ensure_packages(NODE_PACKAGES)
    programs()
    plugin = build_module((_COMPOSE,), _MODULE) / _COMPOSE.name
    one = Machine(cache_home() / "compose")
    with alone("compose"):
        _remove(one)  # what a killed process has left
        plugins = one.folder / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(plugin)
        try:
            with step("starting Docker"):
                one.on()
            yield one
        finally:
            one.off()
            _remove(one)


def _remove(machine: Machine) -> None:
    cgroups.remove(CGROUP)
    if machine.folder.exists():
        shutil.rmtree(machine.folder)
