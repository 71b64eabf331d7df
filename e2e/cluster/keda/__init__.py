"""KEDA, for those who ask for it: its operator, and the adapter that serves its triggers to autoscalers.

Its own manifests, without the webhook that checks ScaledObjects.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..build import Program, build_module
from ..images import build_static_image
from ..progress import step
from ..shell import run

NAMESPACE = "keda"
_MODULE = Path(__file__).parent
_KEDA = "github.com/kedacore/keda/v2"
_VERSION = "2.21.0"
_STAMP = f"-X {_KEDA}/version.Version={_VERSION}"
_PROGRAMS = (
    Program("keda", f"{_KEDA}/cmd/operator", stamp=_STAMP),
    Program("keda-adapter", f"{_KEDA}/cmd/adapter", stamp=_STAMP),
)


def build_images() -> list[Path]:
    """Images for clusters that no registry serves."""
    built = build_module(_PROGRAMS, _MODULE)
    return [build_static_image(program.name, built / program.name) for program in _PROGRAMS]


def install(kubectl: Sequence[str], *, own_images: bool) -> None:
    """Install it, and wait until it is there."""
    with step("installing KEDA"):
        said = run(["go", "mod", "download", "-json", _KEDA], what="finding its manifests", cwd=_MODULE)
        minimal = Path(json.loads(said)["Dir"]) / "config" / "minimal"
        manifests = run([*kubectl, "kustomize", minimal], what="reading its manifests")
        objects = [_fitted(found, own_images) for found in yaml.safe_load_all(manifests)]
        run(
            [*kubectl, "apply", "--server-side", "--force-conflicts", "-f", "-"],
            what="applying KEDA",
            stdin=yaml.safe_dump_all(objects),
        )
        serving = ["wait", "--for=condition=Available", "apiservice/v1beta1.external.metrics.k8s.io"]
        run([*kubectl, *serving, "--timeout=240s"], what="waiting for the external metrics API")


def _fitted(found: dict[str, Any], own_images: bool) -> dict[str, Any]:
    """A manifest with this version's images, which need not be pulled anew, or with those built here."""
    if found["kind"] == "Deployment":
        pod = found["spec"]["template"]["spec"]
        [container] = pod["containers"]
        container["imagePullPolicy"] = "IfNotPresent"
        container["image"] = container["image"].replace(":main", f":{_VERSION}")
        if own_images:
            # `command` is the program's path in the public image, and ours name no user.
            name = Path(container["command"][0]).name
            container |= {"image": f"docker.io/sentiment-operator/{name}:1", "command": [f"/bin/{name}"]}
            pod["securityContext"] |= {"runAsUser": 1000}
    return found
