"""Where the cluster comes from: the user's own (CONTEXT), kind if Docker answers, else the embedded node."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from .cluster import build, embedded, images, ingress, keda, monitoring
from .cluster.errors import ClusterError
from .cluster.paths import REPO, ClusterPaths, cache_home
from .cluster.progress import step
from .cluster.shell import run
from .version import VERSION

KIND_VERSION = "v0.33.0"
CHART = REPO / "charts" / "sentiment-operator"


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up, with the product's images in it."""

    kind: str  # embedded | kind | context
    name: str
    kubectl_start: tuple[str, ...]
    helm_start: tuple[str, ...]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it prints; raises ClusterError when it fails."""
        return run([*self.kubectl_start, *arguments], what=f"kubectl {' '.join(arguments[:3])}", stdin=stdin)

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get … -o json`, parsed."""
        parsed: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return parsed

    def apply(self, manifest: dict[str, Any], namespace: str) -> None:
        """Server-side apply one object."""
        self.kubectl("-n", namespace, "apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))

    def helm(self, *arguments: str) -> str:
        """Run helm and return what it prints."""
        return run([*self.helm_start, *arguments], what=f"helm {arguments[0]}")


def tool(name: str, program: build.Program) -> str:
    """A program of the machine's own, else the one that the cluster's module builds."""
    return shutil.which(name) or str(build.build_node((program,)) / name)


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def open_cluster(name: str, nodes: int = 1) -> Cluster:
    """Start or find the cluster and bring the product's images into it (the user's own has its own nodes)."""
    if context := os.environ.get("CONTEXT"):
        return _users_cluster(context)
    if _docker_answers():
        return _kind_cluster(name, nodes)
    paths = embedded.up(name, nodes)
    embedded.load_images(paths, images.build_images(images.PRODUCT))
    helm = str(build.bin_dir() / "helm")
    return Cluster(
        "embedded", name, tuple(embedded.kubectl(paths)), (helm, f"--kubeconfig={paths.kubeconfig}")
    )


def add_image(cluster: Cluster, image: images.Image) -> None:
    """Bring one more image into the cluster; a user's own that is not kind must be able to pull it."""
    if cluster.kind == "embedded":
        embedded.load_images(ClusterPaths(cluster.name), images.build_images((image,)))
    elif cluster.kind == "kind":
        _load_into_kind(f"sentiment-{cluster.name}", (image,))
    elif cluster.name.startswith("kind-") and _docker_answers():
        _load_into_kind(cluster.name.removeprefix("kind-"), (image,))


def add_ingress(cluster: Cluster) -> None:
    """Install an ingress controller that also implements the Gateway API; its class is `traefik`."""
    image = ingress.PUBLIC_IMAGE
    if cluster.kind == "embedded":
        image = ingress.OWN_IMAGE
        embedded.load_images(ClusterPaths(cluster.name), [ingress.build_image()])
    ingress.install_ingress(cluster.kubectl_start, image)


def add_monitoring(cluster: Cluster) -> None:
    """Install Prometheus, Alertmanager, their operator and the adapter for autoscalers."""
    own = cluster.kind == "embedded"
    if own:
        embedded.load_images(ClusterPaths(cluster.name), monitoring.build_images())
    monitoring.install(cluster.kubectl_start, own_images=own)


def add_keda(cluster: Cluster) -> None:
    """Install KEDA; it takes ten minutes to build."""
    own = cluster.kind == "embedded"
    if own:
        embedded.load_images(ClusterPaths(cluster.name), keda.build_images())
    keda.install(cluster.kubectl_start, own_images=own)


def close_cluster(name: str) -> None:
    """End what open_cluster started; the user's own cluster stays as it is."""
    if os.environ.get("CONTEXT"):
        return
    if ClusterPaths(name).root.exists():
        embedded.down(name)
    elif _docker_answers():
        run([_kind(), "delete", "cluster", "--name", f"sentiment-{name}"], what="kind delete cluster")


def _contextual(kind: str, name: str, context: str) -> Cluster:
    kubectl = tool("kubectl", build.CONTROL_PLANE[0])
    helm = tool("helm", build.HELM)
    return Cluster(kind, name, (kubectl, f"--context={context}"), (helm, f"--kube-context={context}"))


def _kind() -> str:
    if found := shutil.which("kind"):
        return found
    target = cache_home() / "kind" / KIND_VERSION
    if not (target / "kind").exists():
        with step("building kind"):
            env = os.environ | {"GOBIN": str(target)}
            run(["go", "install", f"sigs.k8s.io/kind@{KIND_VERSION}"], what="building kind", env=env)
    return str(target / "kind")


def _docker_build(wanted: tuple[images.Image, ...]) -> None:
    for image in wanted:
        with step(f"building image {image.name}"):
            run(
                [
                    *("docker", "build", "-f", image.dockerfile, "-t", image.short_reference),
                    *(f"--build-arg={one}" for one in (f"VERSION={VERSION}", *image.arguments)),
                    image.context,
                ],
                what=f"building image {image.name}",
                cwd=REPO,
            )


def _kind_cluster(name: str, nodes: int) -> Cluster:
    kind, cluster = _kind(), f"sentiment-{name}"
    if cluster not in run([kind, "get", "clusters"], what="kind get clusters").split():
        with step(f"starting kind cluster {cluster}"):
            roles = ["control-plane", *["worker"] * (nodes - 1)]
            config = {
                "apiVersion": "kind.x-k8s.io/v1alpha4",
                "kind": "Cluster",
                "nodes": [{"role": role} for role in roles],
            }
            create = [kind, "create", "cluster", "--name", cluster, "--wait", "120s", "--config", "-"]
            run(create, what="kind create cluster", stdin=json.dumps(config))
    _load_into_kind(cluster, images.PRODUCT)
    return _contextual("kind", name, f"kind-{cluster}")


def _load_into_kind(cluster: str, wanted: tuple[images.Image, ...]) -> None:
    _docker_build(wanted)
    references = [image.short_reference for image in wanted]
    with step("loading images into kind"):
        run([_kind(), "load", "docker-image", "--name", cluster, *references], what="kind load docker-image")


def _users_cluster(context: str) -> Cluster:
    """A cluster of the user's: kind's contexts get the images loaded, others must be able to pull them."""
    if context.startswith("kind-") and _docker_answers():
        _load_into_kind(context.removeprefix("kind-"), images.PRODUCT)
    elif not os.environ.get("IMAGE_PREFIX"):
        names = ", ".join(image.short_reference for image in images.PRODUCT)
        raise ClusterError(
            "A cluster of your own must be able to pull the images: push them to your registry "
            f"({names}) and set IMAGE_PREFIX=registry/path."
        )
    return _contextual("context", context, context)


def image_values(operator: str = "operator") -> list[str]:
    """Helm values that point the chart at the images, with `operator` as the operator's own."""
    prefix = os.environ.get("IMAGE_PREFIX", "")
    if not prefix:
        # A rebuilt image keeps its tag: the annotation makes the operator's pod take it.
        key = f"--set-string=podAnnotations.image-key={images.PRODUCT[1].key()}"
        return [key, f"--set=image.repository=sentiment-operator/{operator}"]
    names = {"image": operator, "serviceImage": "service", "modelImage": "models"}
    return [f"--set={value}.repository={prefix}/{name}" for value, name in names.items()]
