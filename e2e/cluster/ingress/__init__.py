"""Traefik, for those who ask for it: an ingress controller that also implements the Gateway API."""

import json
import os
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from ..images import build_static_image
from ..progress import step
from ..shell import run

_MANIFEST = Path(__file__).parent / "traefik.yaml"
_GATEWAY_API = "sigs.k8s.io/gateway-api@v1.6.1"  # the version that this Traefik is built with
PUBLIC_IMAGE = "docker.io/library/traefik:v3.7.15"
OWN_IMAGE = "docker.io/sentiment-operator/traefik:1"


def build_image() -> Path:
    """The image for clusters that no registry serves; the program comes from Python's lock file."""
    return build_static_image("traefik", Path(sysconfig.get_path("scripts")) / "traefik")


def install_ingress(kubectl: Sequence[str], image: str) -> None:
    """Install the Gateway API and Traefik, and wait until it serves."""
    with step("installing Traefik and the Gateway API"):
        crds = [f"--filename={_gateway_api() / 'config' / 'crd' / 'standard'}"]
        apply = [*kubectl, "apply", "--server-side"]
        run([*apply, *crds], what="applying the Gateway API")
        manifest = _MANIFEST.read_text().replace("@IMAGE@", image)
        run([*apply, "-f", "-"], what="applying Traefik", stdin=manifest)
        rollout = ["-n", "traefik", "rollout", "status", "deployment/traefik", "--timeout=120s"]
        run([*kubectl, *rollout], what="waiting for Traefik")


def _gateway_api() -> Path:
    """The Gateway API's module; Go checks its sum."""
    command = ["go", "mod", "download", "-json", _GATEWAY_API]
    # Away from any go.mod, whose rules would apply.
    said = run(command, what="downloading the Gateway API", cwd=Path("/"), env=os.environ | {"GOFLAGS": ""})
    return Path(json.loads(said)["Dir"])
