"""Everything that a release holds, made into one folder."""

import hashlib
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..cluster import build
from ..cluster.images import PRODUCT, Image, build_images, buildah
from ..cluster.paths import REPO, alone
from ..cluster.progress import step
from ..cluster.shell import run
from ..provider import CHART, tool
from ..version import VERSION
from ..webtools import TYPES, npm
from .changelog import notes, open_points
from .sbom import document

SUMS = "SHA256SUMS"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Of the images that this machine makes, as OCI calls it."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def release(dist: Path) -> list[Path]:
    """Make all of it; the files, with their sums last. What lay in the folder before is removed."""
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    made = datetime.fromtimestamp(int(_git("log", "-1", "--format=%ct")), UTC)
    _packages(dist, made)
    _manifests(dist)
    for image in PRODUCT:
        _image(image, dist, made)
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


def _image(image: Image, dist: Path, made: datetime) -> None:
    [archive] = build_images((image,))
    with step(f"exporting image {image.name}"), alone("images"):
        # By its id: the tag is whatever was built last, perhaps of another tree.
        identity = buildah("pull", "--quiet", f"docker-archive:{archive}", what="buildah pull").split()[-1]
        target = dist / f"image-{image.name}-{VERSION}-{architecture()}.tar"
        buildah("push", identity, f"oci-archive:{target}:{image.reference}", what="exporting an image")
        with _mounted(identity) as root:
            bill = document(f"sentiment-{image.name}", VERSION, root, made)
        (dist / f"sbom-{image.name}-{VERSION}.cdx.json").write_text(bill)


@contextmanager
def _mounted(identity: str) -> Iterator[Path]:
    container = buildah("from", identity, what="buildah from").strip()
    try:
        yield Path(buildah("mount", container, what="buildah mount").strip())
    finally:
        buildah("rm", container, what="buildah rm")
