"""Other versions' API server and controller manager, for the tests that need no node (KUBERNETES=1.29.15).

A folder for each version pins its modules. etcd and kubectl stay the node's.
"""

from pathlib import Path

from ..build import CONTROL_PLANE, Program, build_module, build_node, version_stamp
from ..errors import ClusterError

_MODULES = Path(__file__).parent
_PROGRAMS = ("kube-apiserver", "kube-controller-manager")


def versions() -> list[str]:
    """Those that can be built beside the node's, such as 1.29.15."""
    return sorted(module.parent.name for module in _MODULES.glob("*/go.mod"))


def link_control_plane(folder: Path, version: str) -> None:
    """Make a folder of links to a version's programs ("": the node's), built if missing; ClusterError."""
    if version and version not in versions():
        raise ClusterError(f"KUBERNETES={version} is none that can be built: {', '.join(versions())}.")
    node = build_node(CONTROL_PLANE)
    if not version:
        folder.symlink_to(node)
        return
    stamp = version_stamp(version)
    programs = tuple(Program(name, f"k8s.io/kubernetes/cmd/{name}", stamp=stamp) for name in _PROGRAMS)
    built = build_module(programs, _MODULES / version)
    folder.mkdir()
    for name in _PROGRAMS:
        (folder / name).symlink_to(built / name)
    for name in ("etcd", "kubectl"):
        (folder / name).symlink_to(node / name)
