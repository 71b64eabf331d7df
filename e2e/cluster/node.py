"""One embedded node, as process 1 of its own namespaces.

The first node holds the control plane and is started by `embedded.py` under unshare. It starts the others
the same way, in namespaces inside its own: when its process ends, all nodes and pods end. Nothing of the
host is changed but a cgroup folder per node, which `down` removes.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import cgroups
from .control_plane import Endpoints, Supervisor, start_control_plane
from .node_config import (
    CONTAINERD_SOCKET,
    Node,
    cni_config,
    containerd_config,
    kubelet_config,
    proxy_config,
)
from .paths import REPO, ClusterPaths
from .pki import Pki, write_kubeconfig
from .shell import run

NAMESPACES = ["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
API_PORT = 6443


def command(node: Node, count: int, listener: int) -> list[str]:
    """The command line of a node: a cluster of `count` nodes; listener: a socket to serve the API on."""
    arguments = [node.cluster, str(node.index), str(count), str(listener)]
    return ["unshare", *NAMESPACES, sys.executable, "-m", "e2e.cluster.node", *arguments]


def _mount(*arguments: str) -> None:
    run(["mount", *arguments], what=f"mount {' '.join(arguments)}")


def prepare_mounts(node: Node) -> None:
    """Give the node its own writable /run, /var/lib/kubelet and /var/lib/cni."""
    _mount("--make-rprivate", "/")
    _mount("-t", "tmpfs", "tmpfs", "/run")
    Path("/run/lock").mkdir(exist_ok=True)
    for name in ("kubelet", "cni"):
        source = node.folder / name
        source.mkdir(exist_ok=True)
        _mount("--bind", str(source), f"/var/lib/{name}")
    _mount("--make-rshared", "/var/lib/kubelet")


def _ip(*commands: str) -> None:
    for line in commands:
        run(["ip", *line.split()], what=f"ip {line}")


def prepare_network(node: Node, count: int) -> None:
    """Give the node its address and a route to every other node's pods."""
    _ip("link set lo up")
    if node.index == 1:  # the others find their interface in place: node 1 put it there
        _ip(
            "link add node0 type veth peer name node0-peer",
            "link add nodes type bridge",
            "link set nodes up",
            "link set node0-peer up master nodes",
        )
    else:
        deadline = time.monotonic() + 20
        while "node0" not in (name for _, name in socket.if_nameindex()):  # /sys shows the host's
            if time.monotonic() > deadline:
                sys.exit("node 1 gave no interface")
            time.sleep(0.02)
    _ip(f"addr add {node.address}/24 dev node0", "link set node0 up", "route add default dev node0")
    others = [Node(node.cluster, index) for index in range(1, count + 1) if index != node.index]
    _ip(*(f"route add {other.pod_subnet} via {other.address}" for other in others))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def forward(listener: socket.socket, port: int) -> None:
    """Serve a socket made outside the namespace by connecting to a port inside it, for ever."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:  # not up yet: the caller sees a closed connection and tries again
            writer.close()
            return
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    async def serve() -> None:
        server = await asyncio.start_server(connect, sock=listener)
        await server.serve_forever()

    asyncio.run(serve())


def main() -> None:
    """Arguments: cluster, index, number of nodes, number of the socket to serve the API on (node 1)."""
    cluster, index, count, listener = sys.argv[1], *map(int, sys.argv[2:5])
    node, paths = Node(cluster, index), ClusterPaths(cluster)
    binaries = paths.root / "bin"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ["PATH"] = f"{binaries}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    socket.sethostname(node.name)
    node.folder.mkdir(exist_ok=True)
    cgroups.make(node.cgroup)
    prepare_mounts(node)
    prepare_network(node, count)
    supervisor = Supervisor(binaries, node.logs)
    try:
        if index == 1:
            served = socket.socket(fileno=listener)
            threading.Thread(target=forward, args=(served, API_PORT), daemon=True).start()
        start_runtime(supervisor, node)
        if index == 1:
            endpoints = Endpoints(node.address, API_PORT, 2379, 2380, 10257, 10259)
            start_control_plane(supervisor, paths, endpoints, nodes=count)
        start_kubelet(supervisor, node)
        if index == 1:
            for other in range(2, count + 1):
                add_node(Node(cluster, other), count)
        reap(supervisor)
    finally:
        supervisor.stop()


def start_runtime(supervisor: Supervisor, node: Node) -> None:
    """Start containerd and give it the pause image."""
    (node.folder / "containerd.toml").write_text(containerd_config(node))
    (node.folder / "cni-conf").mkdir(exist_ok=True)
    (node.folder / "cni-conf" / "10-pods.conflist").write_text(json.dumps(cni_config(node)))
    supervisor.start("containerd", "--config", str(node.folder / "containerd.toml"))
    supervisor.wait_until("containerd", Path(CONTAINERD_SOCKET).exists, 30)
    pause = ClusterPaths(node.cluster).root / "pause.tar"
    ctr = [str(supervisor.binaries / "ctr"), "-n", "k8s.io", "images", "import", str(pause)]
    run(ctr, what="importing the pause image")


def start_kubelet(supervisor: Supervisor, node: Node) -> None:
    """Start kubelet and kube-proxy; the API server must be up."""
    paths = ClusterPaths(node.cluster)
    pki, server = Pki(paths.pki), f"https://{Node(node.cluster, 1).address}:{API_PORT}"
    kubeconfigs = {name: node.folder / f"{name}.kubeconfig" for name in ("kubelet", "kube-proxy")}
    write_kubeconfig(pki, f"kubelet-{node.name}", server, kubeconfigs["kubelet"], node.cluster)
    write_kubeconfig(pki, "kube-proxy", server, kubeconfigs["kube-proxy"], node.cluster)
    (node.folder / "kubelet.yaml").write_text(json.dumps(kubelet_config(node)))
    proxy = proxy_config(node, kubeconfigs["kube-proxy"])
    (node.folder / "kube-proxy.yaml").write_text(json.dumps(proxy))
    supervisor.start(
        "kubelet",
        f"--config={node.folder / 'kubelet.yaml'}",
        f"--kubeconfig={kubeconfigs['kubelet']}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
    )
    supervisor.start("kube-proxy", f"--config={node.folder / 'kube-proxy.yaml'}")


def add_node(node: Node, count: int) -> None:
    """Start another node inside this one's namespaces, joined by a pair of interfaces."""
    with (ClusterPaths(node.cluster).logs / f"{node.name}.log").open("wb") as log:
        process = subprocess.Popen(
            command(node, count, 0), cwd=REPO, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 20
    while not children.read_text().split():
        if time.monotonic() > deadline:
            sys.exit(f"{node.name} did not start")
        time.sleep(0.02)
    [inner] = children.read_text().split()
    _ip(
        f"link add {node.name} type veth peer name node0 netns {inner}",
        f"link set {node.name} up master nodes",
    )


def reap(supervisor: Supervisor) -> None:
    """Collect orphans, as process 1 must; end the node when one of its own programs ends."""
    own = {process.pid: name for name, process in supervisor.processes.items()}
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        if ended.si_pid in own:
            sys.exit(f"{own[ended.si_pid]} ended; see its log")
        os.waitpid(ended.si_pid, 0)


if __name__ == "__main__":
    main()
