"""What one node is, and the configuration files of its programs. Pure."""

from dataclasses import dataclass
from pathlib import Path

from .control_plane import POD_CIDR
from .paths import ClusterPaths

PAUSE_IMAGE = "docker.io/sentiment-operator/pause:1"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


@dataclass(frozen=True)
class Node:
    """The index-th node (from 1) of a cluster; the first one holds the control plane."""

    cluster: str
    index: int

    @property
    def name(self) -> str:
        return f"node{self.index}"

    @property
    def address(self) -> str:
        return f"10.88.0.{self.index}"

    @property
    def pod_subnet(self) -> str:
        """The node's /24 of POD_CIDR."""
        return POD_CIDR.replace(".0.0/16", f".{self.index - 1}.0/24")

    @property
    def cgroup(self) -> str:
        """The cgroup folder that holds all of the node's pods."""
        return f"sentiment-operator-{self.cluster}.{self.name}"

    @property
    def folder(self) -> Path:
        return ClusterPaths(self.cluster).root / self.name

    @property
    def logs(self) -> Path:
        return ClusterPaths(self.cluster).logs / self.name


def containerd_config(node: Node) -> str:
    """containerd's configuration, version 3 (see its docs/cri/config.md)."""
    return f"""version = 3
root = "{node.folder}/containerd"
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
conf_dir = "{node.folder}/cni-conf"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def cni_config(node: Node) -> dict[str, object]:
    """A bridge for the node's pods (CNI specification 1.0)."""
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
                    "ranges": [[{"subnet": node.pod_subnet}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet_config(node: Node) -> dict[str, object]:
    """KubeletConfiguration v1beta1."""
    pki = ClusterPaths(node.cluster).pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "podLogsDir": str(node.folder / "pod-logs"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": "cluster.local",
        "clusterDNS": ["10.96.0.10"],
        "tlsCertFile": str(pki / "apiserver.crt"),
        "tlsPrivateKeyFile": str(pki / "apiserver.key"),
        "resolvConf": "",
        "syncFrequency": "10s",  # how late pods see a changed Secret or ConfigMap
        "volumeStatsAggPeriod": "10s",  # how late a pod that fills its emptyDir is evicted
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Nothing pulls images here, so nothing may collect them.
        "imageGCHighThresholdPercent": 100,
    }


def proxy_config(node: Node, kubeconfig: Path) -> dict[str, object]:
    """KubeProxyConfiguration v1alpha1."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": node.name,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        # The host's connection table is not ours to size.
        "conntrack": {"maxPerCore": 0},
    }
