"""What lets this machine run another processor's programs, with a folder in the kernel's place."""

import os
from pathlib import Path

import pytest

from e2e.cluster import emulation
from e2e.cluster.errors import ClusterError

OTHER = "amd64" if emulation.OWN == "arm64" else "arm64"
MACHINE = emulation.MACHINES[OTHER]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "kernel"
    folder.mkdir()
    (folder / "register").touch()  # mounted
    monkeypatch.setattr(emulation, "_KERNEL", folder)
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "package"
    (package / "lib/binfmt.d").mkdir(parents=True)
    line = f":qemu-{MACHINE}:M::magic:mask:/usr/libexec/qemu-binfmt/{MACHINE}-binfmt-P:OPF\n"
    (package / f"lib/binfmt.d/qemu-{MACHINE}.conf").write_text(line)
    monkeypatch.setattr(emulation, "unpacked", lambda *_: package)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return package


def test_a_format_counts_that_works_in_an_image() -> None:
    assert emulation.handed_over("enabled\ninterpreter /usr/bin/qemu\nflags: POF\noffset 0\n")
    assert not emulation.handed_over("enabled\ninterpreter /usr/bin/qemuF\nflags: OC\noffset 0\n")
    assert not emulation.handed_over("disabled\ninterpreter /usr/bin/qemu\nflags: F\noffset 0\n")


def test_what_is_registered_goes_again(kernel: Path, package: Path) -> None:
    name = f"sentiment-operator-{MACHINE}"

    def build() -> None:
        with emulation.runnable(OTHER):
            program = package / f"libexec/qemu-binfmt/{MACHINE}-binfmt-P"
            assert (kernel / "register").read_text() == f":{name}:M::magic:mask:{program}:OPF"
            raise ClusterError("a build failed")

    with pytest.raises(ClusterError, match="a build failed"):
        build()
    assert (kernel / name).read_text() == "-1"


def test_what_the_system_has_is_used_and_stays(kernel: Path) -> None:
    system = kernel / f"qemu-{MACHINE}"
    system.write_text("enabled\nflags: F\n")
    assert emulation.why_not(OTHER) == ""
    assert system.read_text() == "enabled\nflags: F\n"
    assert sorted(path.name for path in kernel.iterdir()) == [system.name, "register"]


@pytest.mark.usefixtures("kernel")
def test_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "install the Debian packages qemu-user-static and binfmt-support" in emulation.why_not(OTHER)
    assert emulation.why_not(emulation.OWN) == ""
    assert "not for riscv" in emulation.why_not("riscv")
