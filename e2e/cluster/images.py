"""Builds images without Docker or a registry: debootstrap for the base, buildah for the rest."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..version import VERSION
from .emulation import OWN, runnable
from .paths import REPO, alone, cache_home, content_key
from .progress import step
from .shell import run

_SUITE = "bookworm"
_BASE_PACKAGES = "ca-certificates,python3,python3-venv"
BASE = "localhost/sentiment-operator/base:1"
_KEPT_SECONDS = 3600


@dataclass(frozen=True)
class Image:
    """One of the product's images and all that its content depends on."""

    name: str
    dockerfile: str
    sources: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    context: str = "."

    @property
    def short_reference(self) -> str:
        return f"sentiment-operator/{self.name}:{VERSION}"

    @property
    def reference(self) -> str:
        """As containerd stores it; no registry is asked, the archive is imported."""
        return f"docker.io/{self.short_reference}"

    def key(self) -> str:
        return content_key(self.reference, *self.arguments, *(REPO / source for source in self.sources))


_SHARED = ("pyproject.toml", "uv.lock", ".dockerignore", "service/rootfs.py")
PRODUCT = (
    Image("service", "service/Dockerfile", (*_SHARED, "service")),
    Image("operator", "operator/Dockerfile", (*_SHARED, "operator")),
    # Without torch, which has 5 GB: it takes finished packages.
    Image(
        "models",
        "service/models.Dockerfile",
        (
            *_SHARED,
            "service/models.Dockerfile",
            "service/sentiment_models",
            "service/sentiment_service/bundled",
        ),
        ("EXTRAS=packages",),
    ),
)
# What an upgrade of the operator begins with: built upon the present one's image.
EARLIER_OPERATOR = Image(
    "operator-earlier",
    "e2e/earlier/Dockerfile",
    ("e2e/earlier", *PRODUCT[1].sources),
    (f"OPERATOR_IMAGE={PRODUCT[1].reference}",),
    "e2e/earlier",
)


def _archives() -> Path:
    folder = cache_home() / "images"
    folder.mkdir(exist_ok=True)
    return folder


def buildah(*arguments: str | Path, what: str) -> str:
    """Run buildah with storage of its own, so that the user's images stay untouched."""
    home = cache_home() / "buildah"
    home.mkdir(exist_ok=True)
    policy = home / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    command = arguments[0]
    options: list[str | Path] = (
        ["--signature-policy", policy] if command in ("bud", "push", "pull", "from", "commit") else []
    )
    return run(
        ["buildah", "--root", home / "root", "--runroot", home / "run", command, *options, *arguments[1:]],
        what=what,
        cwd=REPO,
    )


def archive_of(name: str, key: str) -> Path:
    """Where an image's archive lies; those of the name that nobody asked for lately are dropped."""
    wanted = _archives() / f"{name}-{key}.tar"
    if wanted.exists():
        wanted.touch()
    for other in _archives().glob(f"{name}-{'?' * 16}.tar"):
        # Another checkout may be about to load the one that it has just made.
        if other != wanted and other.stat().st_mtime < time.time() - _KEPT_SECONDS:
            other.unlink(missing_ok=True)
    return wanted


def _push(image: str, reference: str, archive: Path) -> None:
    part = archive.with_suffix(".part")
    part.unlink(missing_ok=True)
    buildah(
        "push",
        "--disable-compression",
        image,
        f"docker-archive:{part}:{reference}",
        what=f"exporting {reference}",
    )
    part.rename(archive)


def _suffix(architecture: str) -> str:
    """Of the names in the cache; this machine's own images have the plain ones."""
    return "" if architecture == OWN else f"-{architecture}"


def _ensure_base(architecture: str = OWN) -> None:
    """Make the Debian base image once."""
    suffix = _suffix(architecture)
    key = content_key(_SUITE, _BASE_PACKAGES)
    mark = cache_home() / "buildah" / f"base{suffix}-{key}"
    if mark.exists():
        return
    with step(f"making the Debian base image for {architecture}"):
        root = cache_home() / f"base-rootfs{suffix}"
        shutil.rmtree(root, ignore_errors=True)
        kind = [f"--arch={architecture}", "--variant=minbase", f"--include={_BASE_PACKAGES}"]
        try:
            run(
                ["debootstrap", *kind, _SUITE, root],
                what="debootstrap",
                env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
            )
            for waste in (
                "var/cache/apt",
                "var/lib/apt/lists",
                "usr/share/doc",
                "usr/share/man",
                "usr/share/locale",
            ):
                shutil.rmtree(root / waste, ignore_errors=True)
            container = buildah("from", "scratch", what="buildah from").strip()
            buildah("config", f"--arch={architecture}", container, what="buildah config")
            buildah("add", container, root, "/", what="buildah add")
            buildah("commit", "--rm", container, BASE + suffix, what="buildah commit")
        finally:
            shutil.rmtree(root, ignore_errors=True)
        mark.touch()


def build_static_image(name: str, binary: Path) -> Path:
    """An image that holds one static program and nothing else."""
    with alone("images"):
        return _static_image(name, binary)


def _static_image(name: str, binary: Path) -> Path:
    path = f"/bin/{name}"  # the Prometheus operator names its reloader by it
    archive = archive_of(name, content_key(path, binary))
    if not archive.exists():
        with step(f"building image {name}"):
            container = buildah("from", "scratch", what="buildah from").strip()
            buildah("copy", container, binary, path, what="buildah copy")
            buildah("config", "--entrypoint", f'["{path}"]', container, what="buildah config")
            image = f"localhost/sentiment-operator/{name}:1"
            buildah("commit", "--rm", container, image, what="buildah commit")
            _push(image, f"docker.io/sentiment-operator/{name}:1", archive)
    return archive


def build_pause_image(binaries: Path) -> Path:
    """The image that holds each pod's namespaces."""
    return build_static_image("pause", binaries / "pause")


def build_addon_images(binaries: Path) -> list[Path]:
    """Images of the cluster's add-ons, and the base that the volume provisioner's helper pods run."""
    with alone("images"):
        _ensure_base()
        base = archive_of("base", content_key(_SUITE, _BASE_PACKAGES))
        if not base.exists():
            with step("exporting the base image"):
                _push(BASE, "docker.io/sentiment-operator/base:1", base)
        names = ("coredns", "metrics-server", "local-path-provisioner")
        return [base, *(_static_image(name, binaries / name) for name in names)]


def build_images(wanted: tuple[Image, ...], architecture: str = OWN) -> list[Path]:
    """Build images from their Dockerfiles, when their content changed; the archives."""
    with alone(f"images{_suffix(architecture)}"), runnable(architecture):
        _ensure_base(architecture)
        return [_build_image(image, architecture) for image in wanted]


def _build_image(image: Image, architecture: str) -> Path:
    name, reference = (f"{one}{_suffix(architecture)}" for one in (image.name, image.reference))
    archive = archive_of(name, image.key())
    if not archive.exists():
        with step(f"building image {name}"):
            bud(image, reference, architecture=architecture)
            _push(reference, reference, archive)
    return archive


def bud(image: Image, reference: str, *options: str, architecture: str = OWN) -> str:
    """Build an image from its Dockerfile on the base; its digest."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    volume = ["-v", f"{bundle}:{bundle}:ro"] if bundle.exists() else []
    # The same content has the same digest: one time for all, and Docker's own format would hold the names of
    # the containers that it was built in.
    same = ["--timestamp=0", "--format=oci", "--identity-label=false"]
    base = f"BASE_IMAGE={BASE}{_suffix(architecture)}"
    given = [f"--build-arg={one}" for one in (base, f"VERSION={VERSION}", *image.arguments)]
    command = [
        "bud",
        "--layers",
        "--isolation=chroot",
        f"--arch={architecture}",
        *same,
        *volume,
        *options,
        *given,
        "-f",
        image.dockerfile,
    ]
    buildah(*command, "-t", reference, image.context, what=f"building image {image.name}")
    query = ["inspect", "--type=image", "--format={{.FromImageDigest}}", reference]
    return buildah(*query, what="buildah inspect").strip()


@contextmanager
def container(identity: str) -> Iterator[str]:
    """A container of an image, for as long as it is looked at."""
    name = buildah("from", identity, what="buildah from").strip()
    try:
        yield name
    finally:
        buildah("rm", name, what="buildah rm")


def pulled(archive: Path) -> str:
    """An archive's image by its id: the tag is whatever was built last, perhaps of another tree."""
    return buildah("pull", "--quiet", f"docker-archive:{archive}", what="buildah pull").split()[-1]


def mount(name: str) -> Path:
    """Where the files of a container lie."""
    return Path(buildah("mount", name, what="buildah mount").strip())
