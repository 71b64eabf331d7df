"""For those who ask for it: the Prometheus operator, a Prometheus and an Alertmanager that it runs, and the
adapter that gives metrics to autoscalers.

Built from pinned Go modules: Debian's Prometheus knows no Kubernetes.
"""

import json
import re
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
# Their Kubernetes libraries differ from the operator's. Of Prometheus' service discoveries those for
# Kubernetes and for DNS (manifests/compose) alone: the others are most of its code.
_OTHERS = {
    "prometheus": Program(
        "prometheus",
        "github.com/prometheus/prometheus/cmd/prometheus",
        "remove_all_sd,enable_kubernetes_sd,enable_dns_sd",
    ),
    "prometheus-adapter": Program("prometheus-adapter", "sigs.k8s.io/prometheus-adapter/cmd/adapter"),
}
_PUBLIC = re.compile(r"[\w.]+/[\w-]+/([\w-]+):v[0-9.]+")


def prometheus_program() -> Path:
    """A Prometheus, built when it is not there."""
    return _built_alone("prometheus")


def alertmanager_program() -> Path:
    """An Alertmanager, built when it is not there."""
    return build_module(_PROGRAMS, _MODULE) / "alertmanager"


def build_images() -> list[Path]:
    """Images for clusters that no registry serves."""
    together = build_module(_PROGRAMS, _MODULE)
    built = [together / program.name for program in _PROGRAMS]
    built += [_built_alone(name) for name in _OTHERS]
    return [build_static_image(binary.name, binary) for binary in built]


def _built_alone(name: str) -> Path:
    return build_module((_OTHERS[name],), _MODULE / name) / name


def install(kubectl: Sequence[str], *, own_images: bool) -> None:
    """Install them, and wait until they are there."""

    def apply(manifests: str, what: str) -> None:
        start = [*kubectl, "apply", "--server-side", "--force-conflicts", "-f", "-"]
        run(start, what=f"applying {what}", stdin=_with_images(manifests, own_images))

    with step("installing the Prometheus operator"):
        apply(_namespace(), "a namespace")
        bundle = (_source() / "bundle.yaml").read_text()
        apply(bundle.replace("namespace: default", f"namespace: {NAMESPACE}"), "the Prometheus operator")
        run([*kubectl, "wait", "--for=condition=Established", "--all", "crd"], what="waiting for its kinds")
    with step("installing Prometheus and Alertmanager"):
        apply((_MODULE / "stack.yaml").read_text(), "Prometheus")
        for kind, name in (("prometheus", "main"), ("alertmanager", "main")):
            ready = ["-n", NAMESPACE, "wait", "--for=condition=Available", f"{kind}/{name}", "--timeout=180s"]
            run([*kubectl, *ready], what=f"waiting for {kind}")
    with step("installing prometheus-adapter"):
        apply((_MODULE / "adapter.yaml").read_text(), "the adapter")
        serving = ["wait", "--for=condition=Available", "apiservice/v1beta1.custom.metrics.k8s.io"]
        run([*kubectl, *serving, "--timeout=120s"], what="waiting for the custom metrics API")


def _source() -> Path:
    """The operator's module, as Go has it after the build."""
    said = run(["go", "mod", "download", "-json", _OPERATOR], what="finding its manifests", cwd=_MODULE)
    return Path(json.loads(said)["Dir"])


def _namespace() -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})


def _with_images(manifests: str, own: bool) -> str:
    """Public images, or in their place those that were built here."""
    return _PUBLIC.sub(r"docker.io/sentiment-operator/\1:1", manifests) if own else manifests
