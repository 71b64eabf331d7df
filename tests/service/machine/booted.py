"""systemd as process 1 of namespaces of its own, with nothing but our units.

Debian's own, unpacked. Nothing of the host is changed but a folder of cgroups, removed in the end.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.service.machine.tools import library, program
from tests.service.running import wait_for

ROOT = Path(__file__).parents[3]
PYTHON = f"/opt/python/bin/python{sysconfig.get_python_version()}"
_CGROUP = f"sentiment-boot-{os.getpid()}"
_MOUNTS = {
    "/opt/python": sys.base_prefix,
    "/opt/libraries": sysconfig.get_path("purelib"),
    "/opt/service": ROOT / "service",
}
# Under `unshare`: folders that systemd writes to are this one's own, and so is the root of its cgroups.
_BOOT = f"""
mount --make-rprivate /
mount -t proc proc /proc
for folder in /run /opt /var /etc/systemd; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mkdir -p /run/lock /var/tmp /var/lib /var/log
{{binds}}
ip link set lo up
mount --bind {{log}} /dev/console
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/{_CGROUP}
echo 0 > /sys/fs/cgroup/{_CGROUP}/cgroup.procs
exec unshare --cgroup sh -ec 'umount /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other
export LD_LIBRARY_PATH={{library}} SYSTEMD_UNIT_PATH={{units}}
exec {{systemd}} --system --unit=multi-user.target --log-target=console --show-status=no'
"""
_CLEAN = f"""
mount --make-rprivate /
mount -t cgroup2 cgroup2 /sys/fs/cgroup
find /sys/fs/cgroup/{_CGROUP} -depth -type d -exec rmdir {{}} +
"""


class Booted:
    def __init__(self, process: int) -> None:
        self._process = process

    def run(self, *words: str | Path) -> str:
        """Inside; what it printed."""
        enter = ["nsenter", "-t", str(self._process), "-m", "-p", "-n", "-C", "--"]
        done = subprocess.run(
            [*enter, *words], capture_output=True, text=True, check=False, env=_environment()
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def systemctl(self, *words: str) -> str:
        return self.run(program("systemctl"), "--no-pager", *words)

    def show(self, unit: str) -> dict[str, str]:
        lines = self.systemctl("show", unit).splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _environment() -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(library()), "PATH": os.environ["PATH"]}


@contextmanager
def booted(units: Path, log: Path) -> Iterator[Booted]:
    """`units` holds them, and what each target wants."""
    for name in ("sysinit", "basic", "shutdown", "multi-user"):
        (units / f"{name}.target").write_text("[Unit]\n")
    binds = "\n".join(
        f"mkdir -p {to}; mount --bind {shlex.quote(str(of))} {to}" for to, of in _MOUNTS.items()
    )
    script = _BOOT.format(binds=binds, log=log, library=library(), units=units, systemd=program("systemd"))
    alone = ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
    with log.open("w") as output:
        outer = subprocess.Popen([*alone, "sh", "-ec", script], stdout=output, stderr=subprocess.STDOUT)
    try:
        inner = wait_for("process 1", lambda: psutil.Process(outer.pid).children())[0]
        wait_for("systemd to run", lambda: outer.poll() is not None or inner.name() == "systemd")
        machine = Booted(inner.pid)
        wait_for("systemd to answer", lambda: Path(f"/proc/{inner.pid}/root/run/systemd/private").exists())
        yield machine
    except BaseException:
        print(log.read_text()[-6000:])
        raise
    finally:
        outer.kill()
        outer.wait()
        wait_for("its end", lambda: not inner.is_running())
        wait_for(
            "its cgroups to be empty",
            lambda: subprocess.run(["unshare", "--mount", "sh", "-ec", _CLEAN], check=False).returncode == 0,
        )
