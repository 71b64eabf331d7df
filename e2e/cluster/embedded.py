"""Brings the embedded cluster up and down from the host."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import build, cgroups, images, node
from .addons import install_addons
from .control_plane import Endpoints, Supervisor, start_control_plane
from .errors import ClusterError
from .kubernetes import link_control_plane
from .node_config import CONTAINERD_SOCKET, Node
from .packages import NODE_PACKAGES, ensure_packages
from .paths import REPO, ClusterPaths
from .pki import Pki, write_kubeconfig
from .progress import step
from .shell import run

_MOUNT_POINTS = (Path("/var/lib/kubelet"), Path("/var/lib/cni"))


def check_host() -> None:
    """Raise ClusterError in one plain sentence when this host can't hold a node."""
    remedy = "Use a cluster that you have (CONTEXT=name), or start Docker and kind is used."
    if sys.platform != "linux":
        raise ClusterError(f"The embedded node needs Linux. {remedy}")
    if os.geteuid() != 0:
        raise ClusterError(f"The embedded node needs root. {remedy}")
    test = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if test.returncode != 0:
        raise ClusterError(f"This machine lets nobody make namespaces ({test.stderr.strip()}). {remedy}")


def is_running(paths: ClusterPaths) -> bool:
    """Whether the cluster's process lives."""
    return node_pid(Node(paths.name, 1)) is not None


def node_pid(member: Node) -> int | None:
    """A node's process 1, as the host sees it."""
    wanted = ["-m", "e2e.cluster.node", member.cluster, str(member.index)]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_text().split("\0")
        except (OSError, UnicodeDecodeError):  # ended meanwhile, or nothing of ours
            continue
        if words[1:5] == wanted:  # unshare, which started it, has its own words first
            return int(process.parent.name)
    return None


def up(name: str, nodes: int = 1) -> ClusterPaths:
    """Start the cluster, or return the running one; ClusterError when that has another number of nodes."""
    paths = ClusterPaths(name)
    complete = paths.root / "complete"
    if is_running(paths) and complete.exists():
        if (running := _nodes(paths)) != nodes:
            raise ClusterError(
                f"Cluster {name} runs with {running} node(s), not {nodes}: end it first "
                f"(make cluster-down NAME={name})."
            )
        return paths
    check_host()
    ensure_packages(NODE_PACKAGES)
    binaries = build.build_node(build.NODE)
    addon_archives = images.build_addon_images(binaries)
    down(name)
    with step(f"starting Kubernetes (cluster {name})") as update:
        process = _launch(paths, binaries, nodes)
        try:
            _wait_for_node(paths, process, update)
        except BaseException:
            _kill(paths)
            raise
    load_images(paths, addon_archives)
    install_addons(paths)
    complete.touch()
    return paths


def _nodes(paths: ClusterPaths) -> int:
    return int((paths.root / "nodes").read_text())


def _launch(paths: ClusterPaths, binaries: Path, nodes: int) -> "subprocess.Popen[bytes]":
    paths.root.mkdir(parents=True)
    (paths.root / "nodes").write_text(str(nodes))
    (paths.root / "bin").symlink_to(binaries)
    shutil.copy(images.build_pause_image(binaries), paths.root / "pause.tar")
    created = [point for point in _MOUNT_POINTS if not point.exists()]
    for point in created:
        point.mkdir(parents=True)
    (paths.root / "created-mount-points").write_text("\n".join(map(str, created)))
    paths.logs.mkdir()
    # The socket belongs to the host's network, its server to the node's: that
    # is what lets a kubeconfig on the host reach the node without touching the
    # host's interfaces.
    with socket.create_server(("127.0.0.1", 0)) as listener, (paths.logs / "node1.log").open("wb") as log:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            node.command(Node(paths.name, 1), nodes, listener.fileno()),
            cwd=REPO,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    paths.pid_file.write_text(str(process.pid))
    (paths.root / "port").write_text(str(port))
    return process


def _wait_for_node(
    paths: ClusterPaths, process: "subprocess.Popen[bytes]", update: Callable[[str], None]
) -> None:
    deadline = time.monotonic() + 180
    server = f"https://127.0.0.1:{(paths.root / 'port').read_text()}"
    names = [f"node/node{index}" for index in range(1, _nodes(paths) + 1)]
    while time.monotonic() < deadline and process.poll() is None:
        started = sorted(log.stem for log in (paths.logs / "node1").glob("*.log"))
        update(", ".join(started))
        if (paths.pki / "service-account.crt").exists():
            if not paths.kubeconfig.exists():
                write_kubeconfig(Pki(paths.pki), "admin", server, paths.kubeconfig, f"sentiment-{paths.name}")
            ready = subprocess.run(
                [*kubectl(paths), "wait", "--for=condition=Ready", *names, "--timeout=2s"],
                capture_output=True,
                check=False,
            )
            if ready.returncode == 0:
                return
        time.sleep(0.3)
    said = [line for log in paths.logs.glob("node*.log") for line in log.read_text().splitlines()[-15:]]
    raise ClusterError(f"The cluster did not come up; logs are in {paths.logs}:\n" + "\n".join(said))


def kubectl(paths: ClusterPaths) -> list[str]:
    """The start of a kubectl command line for this cluster."""
    return [str(build.bin_dir() / "kubectl"), f"--kubeconfig={paths.kubeconfig}"]


def enter(member: Node, *command: str) -> list[str]:
    """The command line that runs a command inside a node's namespaces."""
    pid = node_pid(member)
    if pid is None:
        raise ClusterError(f"{member.name} of cluster {member.cluster} is not running.")
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--pid", "--uts", "--ipc", *command]


def load_images(paths: ClusterPaths, archives: list[Path]) -> None:
    """Import image archives into every node, those that changed only."""
    loaded_file = paths.root / "loaded-images"
    loaded = loaded_file.read_text().split() if loaded_file.exists() else []
    ctr = [str(build.bin_dir() / "ctr"), f"--address={CONTAINERD_SOCKET}", "-n", "k8s.io"]
    for archive in archives:
        if archive.name in loaded:
            continue
        with step(f"loading image {archive.stem}"):
            for index in range(1, _nodes(paths) + 1):
                command = enter(Node(paths.name, index), *ctr, "images", "import", str(archive))
                run(command, what="ctr images import")
        loaded.append(archive.name)
        loaded_file.write_text("\n".join(loaded))


def down(name: str) -> None:
    """End the cluster and remove every trace: processes, mounts, cgroups, interfaces, files."""
    paths = ClusterPaths(name)
    if not paths.root.exists():
        return
    _kill(paths)
    cgroups.remove(Node(name, 1).cgroup.removesuffix("1"))
    created = paths.root / "created-mount-points"
    for point in created.read_text().split() if created.exists() else []:
        if not _other_clusters(name):
            Path(point).rmdir()
    shutil.rmtree(paths.root)


def _other_clusters(name: str) -> bool:
    return any(folder.name != name for folder in ClusterPaths(name).root.parent.iterdir())


def _kill(paths: ClusterPaths) -> None:
    try:
        unshare = int(paths.pid_file.read_text())
    except (OSError, ValueError):
        return
    pid = node_pid(Node(paths.name, 1))
    if pid is None:
        with suppress(ProcessLookupError):
            os.kill(unshare, signal.SIGKILL)
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            os.kill(unshare, signal.SIGKILL)  # --kill-child takes process 1 and with it all the rest
            os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + 20
        time.sleep(0.05)
        with suppress(ChildProcessError):  # ours only when this process started it
            os.waitpid(unshare, os.WNOHANG)


@contextmanager
def control_plane(folder_name: str) -> Iterator[ClusterPaths]:
    """etcd, API server and controller manager on free loopback ports: no node, no root, seconds to start.

    KUBERNETES in the environment names another version of the latter two (kubernetes.versions).
    """
    paths = ClusterPaths(folder_name)
    if paths.root.exists():
        shutil.rmtree(paths.root)
    paths.root.mkdir(parents=True)
    supervisor = Supervisor(paths.root / "bin", paths.logs)
    endpoints = Endpoints(None, *_free_ports(5))
    try:
        link_control_plane(supervisor.binaries, os.environ.get("KUBERNETES", ""))
        start_control_plane(supervisor, paths, endpoints, nodes=0)
        shutil.copy(paths.component_kubeconfig("admin"), paths.kubeconfig)
        yield paths
    finally:
        supervisor.stop()
        shutil.rmtree(paths.root)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports
