"""The embedded node, as process 1 of its own namespaces.

Started by `embedded.py` under unshare; ends, with every pod, when this process
ends. Nothing of the host is changed but a cgroup folder, which `down` removes.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from .control_plane import POD_CIDR, Endpoints, Supervisor, start_control_plane
from .paths import ClusterPaths
from .shell import run

NODE_ADDRESS = "10.88.0.1"
ENDPOINTS = Endpoints(NODE_ADDRESS, 6443, 2379, 2380, 10257, 10259)
PAUSE_IMAGE = "docker.io/sentiment-operator/pause:1"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


def _mount(*arguments: str) -> None:
    run(["mount", *arguments], what=f"mount {' '.join(arguments)}")


def prepare_mounts(paths: ClusterPaths) -> None:
    """Give the node its own writable /run, /var/lib/kubelet and /var/lib/cni."""
    _mount("--make-rprivate", "/")
    _mount("-t", "tmpfs", "tmpfs", "/run")
    Path("/run/lock").mkdir(exist_ok=True)
    for name in ("kubelet", "cni"):
        source = paths.root / name
        source.mkdir(exist_ok=True)
        _mount("--bind", str(source), f"/var/lib/{name}")
    _mount("--make-rshared", "/var/lib/kubelet")


def prepare_network() -> None:
    """Make the node's interface: one end of a pair, both in this namespace, with a default route."""
    for command in (
        "link set lo up",
        "link add node0 type veth peer name node0-peer",
        "link set node0-peer up",
        f"addr add {NODE_ADDRESS}/24 dev node0",
        "link set node0 up",
        "route add default dev node0",
    ):
        run(["ip", *command.split()], what=f"ip {command}")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def containerd_config(paths: ClusterPaths) -> str:
    """containerd's configuration, version 3 (see its docs/cri/config.md)."""
    return f"""version = 3
root = "{paths.root}/containerd"
state = "/run/containerd"
[grpc]
address = "{CONTAINERD_SOCKET}"
[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
# Containers and CI machines often lack CAP_SYS_RESOURCE.
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "{paths.root}/cni-conf"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def cni_config() -> dict[str, object]:
    """A bridge for the node's pods (CNI specification 1.0)."""
    subnet = POD_CIDR.replace("/16", "/24")
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": subnet}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet_config(paths: ClusterPaths) -> dict[str, object]:
    """KubeletConfiguration v1beta1."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup_name(paths.name)}",
        "podLogsDir": str(paths.root / "pod-logs"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(paths.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": "cluster.local",
        "clusterDNS": ["10.96.0.10"],
        "tlsCertFile": str(paths.pki / "apiserver.crt"),
        "tlsPrivateKeyFile": str(paths.pki / "apiserver.key"),
        "resolvConf": "",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Nothing pulls images here, so nothing may collect them.
        "imageGCHighThresholdPercent": 100,
    }


def proxy_config(paths: ClusterPaths) -> dict[str, object]:
    """KubeProxyConfiguration v1alpha1."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": "node1",
        "clientConnection": {"kubeconfig": str(paths.component_kubeconfig("kube-proxy"))},
        # The host's connection table is not ours to size.
        "conntrack": {"maxPerCore": 0},
    }


def cgroup_name(cluster: str) -> str:
    """The cgroup folder that holds all pods of a cluster."""
    return f"sentiment-operator-{cluster}"


def prepare_cgroups(cluster: str) -> None:
    """Make the cluster's cgroup under every hierarchy (v1 and v2)."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        controllers = " ".join(f"+{name}" for name in (root / "cgroup.controllers").read_text().split())
        (root / "cgroup.subtree_control").write_text(controllers)
        child = root / cgroup_name(cluster)
        child.mkdir(exist_ok=True)
        (child / "cgroup.subtree_control").write_text(controllers)
        return
    for hierarchy in root.iterdir():
        if hierarchy.is_symlink() or not (hierarchy / "cgroup.procs").exists():
            continue
        child = hierarchy / cgroup_name(cluster)
        child.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # empty at first, and then no process may enter
            if (child / setting).exists():
                (child / setting).write_text((hierarchy / setting).read_text())


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
    """Arguments: the cluster's name and the number of the listening socket to serve the API on."""
    name, listener_number = sys.argv[1], int(sys.argv[2])
    paths = ClusterPaths(name)
    binaries = paths.root / "bin"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ["PATH"] = f"{binaries}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    socket.sethostname("node1")
    prepare_cgroups(name)
    prepare_mounts(paths)
    prepare_network()
    threading.Thread(
        target=forward, args=(socket.socket(fileno=listener_number), ENDPOINTS.secure_port), daemon=True
    ).start()
    supervisor = Supervisor(binaries, paths.logs)
    try:
        start(supervisor, paths)
        reap(supervisor)
    finally:
        supervisor.stop()


def start(supervisor: Supervisor, paths: ClusterPaths) -> None:
    """Start all programs of the node, each when what it needs is up."""
    (paths.root / "containerd.toml").write_text(containerd_config(paths))
    (paths.root / "cni-conf").mkdir(exist_ok=True)
    (paths.root / "cni-conf" / "10-pods.conflist").write_text(json.dumps(cni_config()))
    (paths.root / "kubelet.yaml").write_text(json.dumps(kubelet_config(paths)))
    (paths.root / "kube-proxy.yaml").write_text(json.dumps(proxy_config(paths)))
    supervisor.start("containerd", "--config", str(paths.root / "containerd.toml"))
    start_control_plane(supervisor, paths, ENDPOINTS, scheduler=True)
    supervisor.wait_until("containerd", Path(CONTAINERD_SOCKET).exists, 30)
    run(
        [supervisor.binaries / "ctr", "-n", "k8s.io", "images", "import", paths.root / "pause.tar"],
        what="importing the pause image",
    )
    supervisor.start(
        "kubelet",
        f"--config={paths.root / 'kubelet.yaml'}",
        f"--kubeconfig={paths.component_kubeconfig('kubelet')}",
        "--hostname-override=node1",
        f"--node-ip={NODE_ADDRESS}",
    )
    supervisor.start("kube-proxy", f"--config={paths.root / 'kube-proxy.yaml'}")


def reap(supervisor: Supervisor) -> None:
    """Collect orphans, as process 1 must; end the cluster when one of its own programs ends."""
    own = {process.pid: name for name, process in supervisor.processes.items()}
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        if ended.si_pid in own:
            sys.exit(f"{own[ended.si_pid]} ended; see logs/{own[ended.si_pid]}.log")
        os.waitpid(ended.si_pid, 0)


if __name__ == "__main__":
    main()
