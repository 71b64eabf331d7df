"""Programs of another processor: the kernel hands them to QEMU for as long as they are needed."""

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .debian import unpacked
from .errors import ClusterError
from .paths import alone
from .shell import run

# As OCI and Debian call them → as the kernel and QEMU do.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
OWN = next((name for name, machine in MACHINES.items() if machine == platform.machine()), platform.machine())
_KERNEL = Path("/proc/sys/fs/binfmt_misc")


def handed_over(entry: str) -> bool:
    """Whether a format, as the kernel shows it, works in a root that has no QEMU (flag F)."""
    return entry.startswith("enabled\n") and re.search(r"^flags: .*F", entry, re.M) is not None


def why_not(architecture: str) -> str:
    """Why this machine can't run an architecture's programs; empty when it can."""
    try:
        with runnable(architecture):
            return ""
    except ClusterError as error:
        return str(error)


@contextmanager
def runnable(architecture: str) -> Iterator[None]:
    """Let the kernel run an architecture's programs; what that took is undone again."""
    if architecture == OWN:
        yield
        return
    if (machine := MACHINES.get(architecture)) is None:
        raise ClusterError(f"There are images for {' and '.join(MACHINES)} only, not for {architecture}.")
    with alone("emulation"):
        if any(handed_over(entry.read_text()) for entry in _KERNEL.glob(f"qemu-{machine}*")):
            yield
            return
        if os.geteuid() != 0:
            raise ClusterError(
                f"Programs for {architecture} don't run here: install the Debian packages qemu-user-static "
                "and binfmt-support, or start this as root."
            )
        with _mounted(), _registered(machine, unpacked("qemu-user-static", "usr")):
            yield


@contextmanager
def _mounted() -> Iterator[None]:
    if (_KERNEL / "register").exists():
        yield
        return
    run(["mount", "-t", "binfmt_misc", "none", _KERNEL], what="mounting binfmt_misc")
    try:
        yield
    finally:
        run(["umount", "--lazy", _KERNEL], what="unmounting binfmt_misc")


@contextmanager
def _registered(machine: str, package: Path) -> Iterator[None]:
    """As Debian's package would do it, under a name of our own."""
    name = f"sentiment-operator-{machine}"
    line = (package / f"lib/binfmt.d/qemu-{machine}.conf").read_text().strip()
    line = line.replace(f":qemu-{machine}:", f":{name}:").replace(":/usr/", f":{package}/")
    entry = _KERNEL / name
    if not entry.exists():  # of one that was killed
        (_KERNEL / "register").write_text(line)
    try:
        yield
    finally:
        entry.write_text("-1")
