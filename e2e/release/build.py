"""Everything that a release holds, made into one folder."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from ..cluster import build
from ..cluster.images import PRODUCT, Image, build_images, buildah, container, mount, pulled
from ..cluster.paths import REPO, alone
from ..cluster.progress import step
from ..cluster.shell import run
from ..provider import CHART, tool
from ..version import VERSION
from ..webtools import TYPES, npm
from .changelog import notes, open_points
from .sbom import document

SUMS = "SHA256SUMS"


def release(dist: Path, architectures: Iterable[str]) -> list[Path]:
    """Make all of it; the files, with their sums last. What lay in the folder before is removed."""
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    made = datetime.fromtimestamp(int(_git("log", "-1", "--format=%ct")), UTC)
    _packages(dist, made)
    _manifests(dist)
    for image, architecture in product(PRODUCT, architectures):
        _image(image, architecture, dist, made)
    (dist / "NOTES.md").write_text(notes(_changelog(), VERSION) + "\n")
    files = sorted(dist.iterdir())
    sums = "".join(f"{_sha256(file)}  {file.name}\n" for file in files)
    (dist / SUMS).write_text(sums)
    return [*files, dist / SUMS]


def why_no_release() -> list[str]:
    """What this tree lacks to be the release of its version."""
    changed = ["there are changes that are not committed"] if _git("status", "--porcelain") else []
    return [*open_points(_changelog(), VERSION), *changed]


def _changelog() -> str:
    return (REPO / "CHANGELOG.md").read_text()


def _git(*arguments: str) -> str:
    return run(["git", *arguments], what="git", cwd=REPO).strip()


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _packages(dist: Path, made: datetime) -> None:
    with step("building the packages"):
        uv = os.environ["UV"]  # `uv run` says which one it is
        env = os.environ | {"SOURCE_DATE_EPOCH": str(int(made.timestamp()))}
        for project in (REPO, REPO / "client" / "python"):
            run([uv, "build", "--quiet", "--out-dir", dist, project], what="uv build", env=env)
        (dist / ".gitignore").unlink()
        npm("pack", "--silent", f"--pack-destination={dist}", folder=TYPES)


def _manifests(dist: Path) -> None:
    with step("packing the chart and the manifests"):
        run([tool("helm", build.HELM), "package", CHART, f"--destination={dist}"], what="helm package")
        kubectl = tool("kubectl", build.CONTROL_PLANE[0])
        install = run([kubectl, "kustomize", REPO / "manifests" / "install"], what="kubectl kustomize")
        (dist / f"install-{VERSION}.yaml").write_text(install)
        _git("archive", f"--output={dist / f'manifests-{VERSION}.tar.gz'}", "HEAD", "manifests")


def _image(image: Image, architecture: str, dist: Path, made: datetime) -> None:
    [archive] = build_images((image,), architecture)
    name = f"{image.name}-{VERSION}-{architecture}"
    with step(f"exporting image {name}"), alone("images"):
        identity = pulled(archive)
        target = f"oci-archive:{dist}/image-{name}.tar:{image.reference}"
        buildah("push", identity, target, what="exporting an image")
        with container(identity) as opened:
            bill = document(f"sentiment-{image.name}", VERSION, mount(opened), made)
        (dist / f"sbom-{name}.cdx.json").write_text(bill)
