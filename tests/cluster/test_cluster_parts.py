"""The parts of the test cluster that need no cluster."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from e2e.cluster import images, packages
from e2e.cluster.build import Program, build_module
from e2e.cluster.errors import ClusterError
from e2e.cluster.node_config import Node, cni_config, containerd_config, kubelet_config
from e2e.cluster.paths import ClusterPaths, alone, content_key
from e2e.cluster.pki import create_pki, write_kubeconfig


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterPaths:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = ClusterPaths("t")
    made.root.mkdir(parents=True)
    return made


def test_content_key_follows_content_and_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = content_key(tmp_path)
    assert content_key(tmp_path) == first
    (tmp_path / "a").write_text("2")
    second = content_key(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, content_key(tmp_path)}) == 3


def test_content_key_ignores_bytecode(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = content_key(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"x")
    assert content_key(tmp_path) == before


def test_containerd_config_is_toml_of_version_3(paths: ClusterPaths) -> None:
    parsed = tomllib.loads(containerd_config(Node(paths.name, 1)))
    assert parsed["version"] == 3
    assert parsed["plugins"]["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is True


def test_nodes_share_no_cgroup_no_folder_and_no_address() -> None:
    nodes = [Node("t", 1), Node("t", 2), Node("u", 1)]
    assert len({node.cgroup for node in nodes}) == 3
    assert len({str(kubelet_config(node)["podLogsDir"]) for node in nodes}) == 3
    first, second = nodes[:2]
    assert (first.pod_subnet, second.pod_subnet) == ("10.244.0.0/24", "10.244.1.0/24")
    assert first.address != second.address
    assert json.loads(json.dumps(cni_config(second)))["plugins"][0]["ipam"]["ranges"] == [
        [{"subnet": "10.244.1.0/24"}]
    ]


def test_certificates_verify_and_name_their_component(paths: ClusterPaths) -> None:
    pki = create_pki(paths, nodes=2)
    write_kubeconfig(pki, "admin", "https://127.0.0.1:1", paths.kubeconfig, "c")
    subject = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-in", pki.crt("kubelet-node2")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "system:nodes" in subject
    assert "system:node:node2" in subject
    assert json.loads(paths.kubeconfig.read_text())["current-context"] == "c"
    assert paths.kubeconfig.stat().st_mode & 0o077 == 0
    assert pki.key("admin").stat().st_mode & 0o077 == 0


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="install the Debian packages no-such-package"):
        packages.ensure_packages({"no-such-package": "/no/such/file"})


def test_who_has_all_programs_waits_for_no_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program, module = Program("there", "."), tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module there\n")
    (module / "main.go").write_text("package main\n\nfunc main() {}\n")
    folder = build_module((program,), module)
    script = (
        "from e2e.cluster.build import *; print(build_module((Program('there', '.'),), Path(sys.argv[1])))"
    )
    with alone("bin"):  # another's build goes on
        command = [sys.executable, "-c", f"import sys\n{script}", str(module)]
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    assert said.strip() == str(folder)


@pytest.mark.usefixtures("paths")
def test_an_image_that_another_checkout_has_just_made_stays() -> None:
    ours = images.archive_of("service", "a" * 16)
    old, just_made = (ours.with_name(f"service-{letter * 16}.tar") for letter in "bc")
    for path in (ours, old, just_made):
        path.touch()
    os.utime(old, (0, 0))
    os.utime(ours, (0, 0))
    assert images.archive_of("service", "a" * 16) == ours
    assert [path.exists() for path in (ours, old, just_made)] == [True, False, True]
    assert images.archive_of("service", "c" * 16).exists()
    assert ours.exists()
