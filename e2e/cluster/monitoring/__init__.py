"""For those who ask for it: the Prometheus operator, a Prometheus and an Alertmanager that it runs, and the
adapter that gives metrics to autoscalers.

Built from pinned Go modules: Debian's Prometheus knows no Kubernetes.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from ..build import Program, build_module
from ..images import build_static_image
from ..progress import step
from ..shell import run

NAMESPACE = "monitoring"
_MODULE = Path(__file__).parent
_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
_PROGRAMS = (
    Program("prometheus-operator", f"{_OPERATOR}/cmd/operator"),
    Program("prometheus-config-reloader", f"{_OPERATOR}/cmd/prometheus-config-reloader"),
    Program("alertmanager", "github.com/prometheus/alertmanager/cmd/alertmanager"),
)
# Their Kubernetes libraries differ from the operator's. Of Prometheus' service discoveries the one for
# Kubernetes alone: the others are most of its code.
_OTHERS = (
    Program(
        "prometheus", "github.com/prometheus/prometheus/cmd/prometheus", "remove_all_sd,enable_kubernetes_sd"
    ),
    Program("prometheus-adapter", "sigs.k8s.io/prometheus-adapter/cmd/adapter"),
)
_PUBLIC, _OWN = "quay.io/prometheus-operator/", "docker.io/sentiment-operator/"


def build_images() -> list[Path]:
    """Images for clusters that no registry serves."""
    together = build_module(_PROGRAMS, _MODULE)
    built = [together / program.name for program in _PROGRAMS]
    built += [build_module((program,), _MODULE / program.name) / program.name for program in _OTHERS]
    return [build_static_image(binary.name, binary) for binary in built]


def install(kubectl: Sequence[str], *, own_images: bool) -> None:
    """Install all three, and wait until they are there."""
    with step("installing the Prometheus operator"):
        apply = [*kubectl, "apply", "--server-side", "--force-conflicts", "-f", "-"]
        run([*kubectl, "apply", "--server-side", "-f", "-"], what="making a namespace", stdin=_namespace())
        bundle = (_source() / "bundle.yaml").read_text()
        bundle = bundle.replace("namespace: default", f"namespace: {NAMESPACE}")
        if own_images:
            bundle = bundle.replace(f"{_PUBLIC}prometheus-operator:v0.85.0", f"{_OWN}prometheus-operator:1")
            bundle = bundle.replace(
                f"{_PUBLIC}prometheus-config-reloader:v0.85.0", f"{_OWN}prometheus-config-reloader:1"
            )
        run(apply, what="applying the Prometheus operator", stdin=bundle)
        run([*kubectl, "wait", "--for=condition=Established", "--all", "crd"], what="waiting for its kinds")
    with step("installing Prometheus and Alertmanager"):
        run(apply, what="applying Prometheus", stdin=_manifests("stack.yaml", own_images))
        for kind, name in (("prometheus", "main"), ("alertmanager", "main")):
            ready = ["-n", NAMESPACE, "wait", "--for=condition=Available", f"{kind}/{name}", "--timeout=180s"]
            run([*kubectl, *ready], what=f"waiting for {kind}")
    with step("installing prometheus-adapter"):
        run(apply, what="applying the adapter", stdin=_manifests("adapter.yaml", own_images))
        serving = ["wait", "--for=condition=Available", "apiservice/v1beta1.custom.metrics.k8s.io"]
        run([*kubectl, *serving, "--timeout=120s"], what="waiting for the custom metrics API")


def _source() -> Path:
    """The operator's module, as Go has it after the build."""
    said = run(["go", "mod", "download", "-json", _OPERATOR], what="finding its manifests", cwd=_MODULE)
    return Path(json.loads(said)["Dir"])


def _namespace() -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})


def _manifests(name: str, own_images: bool) -> str:
    text = (_MODULE / name).read_text()
    for image, public in (
        ("prometheus", "quay.io/prometheus/prometheus:v3.13.5"),
        ("alertmanager", "quay.io/prometheus/alertmanager:v0.28.1"),
        ("prometheus-adapter", "registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.12.0"),
    ):
        text = text.replace(f"@{image.upper()}@", f"{_OWN}{image}:1" if own_images else public)
    return text
