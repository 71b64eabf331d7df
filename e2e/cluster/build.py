"""Builds the cluster's programs from pinned Go modules, once per content."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError
from .paths import NODE_MODULE, alone, cache_home, content_key
from .progress import step
from .shell import run


@dataclass(frozen=True)
class Program:
    """One binary: its name, the Go packages it is built from, and build tags."""

    name: str
    package: str
    tags: str = ""
    stamp: str = ""  # -X flags: versions that the modules themselves don't carry


def version_stamp(version: str) -> str:
    """The flags that tell Kubernetes' programs their version (1.37.2)."""
    at = "k8s.io/component-base/version"
    major, minor, _ = version.split(".")
    return f"-X {at}.gitVersion=v{version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}"


_CONTAINERD = "github.com/containerd/containerd/v2/cmd/"
_CONTAINERD_TAGS = "no_btrfs,no_zfs,no_devmapper"

# What API-server tests need: this one alone, so that they start soon.
CONTROL_PLANE = (Program("node", ".", stamp=version_stamp("1.37.2")),)
HELM = Program("helm", "helm.sh/helm/v4/cmd/helm")
NODE = (
    *CONTROL_PLANE,
    Program("pause", "./pause"),
    Program("containerd", _CONTAINERD + "containerd", _CONTAINERD_TAGS),
    Program("containerd-shim-runc-v2", _CONTAINERD + "containerd-shim-runc-v2", _CONTAINERD_TAGS),
    Program("ctr", _CONTAINERD + "ctr", _CONTAINERD_TAGS),
    Program("coredns", "./coredns"),
    Program("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
    Program("local-path-provisioner", "github.com/rancher/local-path-provisioner"),
    HELM,
)
# Programs that the multi-call binary also is.
LINKS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)


def bin_dir() -> Path:
    """The folder of the node's built programs, for its module's exact content."""
    return cache_home() / "bin" / content_key(NODE_MODULE, repr(NODE))


def build_node(programs: tuple[Program, ...]) -> Path:
    """Build what is missing of the node's programs; the folder, in which kubectl and others are too."""
    target = _build(programs, NODE_MODULE, bin_dir())
    for link in LINKS:
        if not (target / link).is_symlink():
            (target / link).symlink_to("node")
    return target


def build_module(programs: tuple[Program, ...], module: Path) -> Path:
    """Build what is missing of another Go module's programs; the folder."""
    own = [module / name for name in ("go.mod", "go.sum", "main.go")]
    pins = [file for file in own if file.exists()]
    return _build(programs, module, cache_home() / "bin" / content_key(*pins, repr(programs)))


def _build(programs: tuple[Program, ...], module: Path, target: Path) -> Path:
    """Raises ClusterError when Go is missing or fails."""
    # What is there is whole: nobody waits for another's build of something else.
    if _missing(programs, target):
        with alone("bin"):
            _build_missing(programs, module, target)
    return target


def _missing(programs: tuple[Program, ...], target: Path) -> list[Program]:
    return [program for program in programs if not (target / program.name).exists()]


def _build_missing(programs: tuple[Program, ...], module: Path, target: Path) -> None:
    missing = _missing(programs, target)
    if missing:
        if shutil.which("go") is None:
            raise ClusterError(
                "Go is missing: install Go 1.26 or newer, or use CONTEXT=name with a cluster you have."
            )
        target.mkdir(parents=True, exist_ok=True)
        for program in missing:
            _build_one(program, module, target)


def _build_one(program: Program, module: Path, target: Path) -> None:
    env = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    tags = ["-tags", program.tags] if program.tags else []
    with step(f"building {program.name}") as update:
        update("downloading modules")
        packages = len(
            run(
                ["go", "list", "-deps", *tags, program.package], what="go list", cwd=module, env=env
            ).splitlines()
        )
        part = target / f".{program.name}.part"
        command = [
            "go",
            "build",
            "-v",
            "-trimpath",
            f"-ldflags=-s -w {program.stamp}",
            *tags,
            "-o",
            str(part),
            program.package,
        ]
        with subprocess.Popen(
            command, cwd=module, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            compiled: list[str] = []
            for line in process.stdout:
                compiled.append(line.rstrip())
                update(f"{len(compiled)} of at most {packages} packages")
        if process.returncode != 0:
            raise ClusterError(f"building {program.name} failed:\n" + "\n".join(compiled[-15:]))
        part.rename(target / program.name)
