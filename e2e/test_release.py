"""A fresh node from nothing but what a release holds: `make test-release`."""

import hashlib
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .ask import ask
from .cluster import build, embedded, images
from .cluster.emulation import OWN
from .cluster.paths import ClusterPaths
from .cluster.shell import run
from .demo import OPERATOR_NAMESPACE, wait_ready
from .provider import Cluster
from .release.build import SUMS, release
from .version import VERSION
from .wait import quiet

pytestmark = pytest.mark.release
NAME = "release"
# Uncompressed.
MOST_BYTES = {"service": 350e6, "operator": 150e6}
TEXT = "这款手机拍照效果真的很棒，电池续航也很给力！"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that `make release` makes, but for other processors."""
    folder = tmp_path_factory.mktemp("dist")
    release(folder, [OWN])
    return folder


@pytest.fixture
def fresh() -> Iterator[Cluster]:
    """A node without any image of the product, that nobody else uses."""
    assert not ClusterPaths(NAME).root.exists()
    paths = embedded.up(NAME)
    try:
        helm = (str(build.bin_dir() / "helm"), f"--kubeconfig={paths.kubeconfig}")
        yield Cluster("embedded", NAME, tuple(embedded.kubectl(paths)), helm)
    finally:
        embedded.down(NAME)


def one(dist: Path, pattern: str) -> Path:
    [found] = dist.glob(pattern)
    return found


def test_a_fresh_node_answers(dist: Path, fresh: Cluster, tmp_path: Path) -> None:
    embedded.load_images(ClusterPaths(NAME), sorted(dist.glob("image-*.tar")))
    chart = str(one(dist, f"sentiment-operator-{VERSION}.tgz"))
    namespace = [f"--namespace={OPERATOR_NAMESPACE}", "--create-namespace"]
    fresh.helm("upgrade", "--install", "sentiment-operator", chart, *namespace, "--wait", "--timeout=180s")
    fresh.helm("test", "sentiment-operator", namespace[0], "--timeout=120s")
    with tarfile.open(one(dist, "manifests-*.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    fresh.kubectl("apply", "--server-side", "-f", str(tmp_path / "manifests/samples"))
    url = wait_ready(fresh, "default", "reviews", quiet)["status"]["url"]
    assert ask(fresh, "default", url, [TEXT])[0]["data"]["sentiment"] == "积极"
    # The same without helm.
    dry = ["--server-side", "--force-conflicts", "--dry-run=server"]
    told = fresh.kubectl("apply", *dry, "-f", str(one(dist, "install-*.yaml")))
    assert "deployment.apps/sentiment-operator serverside-applied" in told


def test_the_packages_work_in_an_environment_of_their_own(dist: Path, tmp_path: Path) -> None:
    venv, programs = tmp_path / "venv", tmp_path / "venv" / "bin"
    run([sys.executable, "-m", "venv", venv], what="venv")
    operator, client = one(dist, "sentiment_operator-*.whl"), one(dist, "sentiment_client-*.whl")
    wheels = [f"{operator}[cli,kubectl]", str(client)]
    run([str(programs / "pip"), "install", "--quiet", *wheels], what="pip install")
    analyze = ["analyze", "-", "--format", "jsonl"]
    answer = run([str(programs / "sentiment-service"), *analyze], what="analyze", stdin=TEXT)
    assert json.loads(answer.splitlines()[0])["analysis"]["sentiment"] == "积极"
    sample = tmp_path / "service.yaml"
    sample.write_text(
        "{apiVersion: sentiment-operator.io/v1alpha1, kind: SentimentService, metadata: {name: x}}"
    )
    rendered = run([programs / "kubectl-sentiment", "render", sample], what="render")
    assert {found["kind"] for found in yaml.safe_load_all(rendered)} >= {"Deployment", "Service"}
    script = "import sentiment_client as c; print(c.SentimentClient.__name__)"
    assert run([programs / "python", "-c", script], what="python") == "SentimentClient\n"


def test_sums_and_bills_fit_what_is_there(dist: Path) -> None:
    lines = [line.split("  ") for line in (dist / SUMS).read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums.keys() == {file.name for file in dist.iterdir()} - {SUMS}
    for name, digest in sums.items():
        with (dist / name).open("rb") as content:
            assert hashlib.file_digest(content, "sha256").hexdigest() == digest
    for image, part in {"service": "openvino", "operator": "aiohttp", "models": "huggingface-hub"}.items():
        bill = json.loads(one(dist, f"sbom-{image}-*.json").read_text())
        parts = {found["purl"].partition("@")[0] for found in bill["components"]}
        assert {f"pkg:pypi/{part}", "pkg:deb/debian/libc6"} <= parts


def test_the_images_say_what_they_are_and_are_small(dist: Path, tmp_path: Path) -> None:
    for image in images.PRODUCT:
        with tarfile.open(one(dist, f"image-{image.name}-*.tar")) as archive:
            archive.extractall(tmp_path / image.name, filter="data")
        [named] = read(tmp_path / image.name / "index.json")["manifests"]
        assert named["annotations"]["org.opencontainers.image.ref.name"] == image.reference
        manifest = read(blob(tmp_path / image.name, named))
        config = read(blob(tmp_path / image.name, manifest["config"]))
        assert config["config"]["User"] == "1000:1000"
        labels = config["config"]["Labels"]
        for label in ("title", "description", "version", "licenses", "base.name"):
            assert labels[f"org.opencontainers.image.{label}"]
        assert labels["org.opencontainers.image.version"] == VERSION
        members = [
            found for layer in manifest["layers"] for found in inside(blob(tmp_path / image.name, layer))
        ]
        files = [found.name for found in members if not found.isdir()]
        programs = {Path(name).name for name in files if "/app/" not in f"/{name}"}
        assert programs.isdisjoint({"sh", "bash", "dash", "dpkg", "apt-get", "gcc", "cc", "perl"})
        assert sum(found.size for found in members) <= MOST_BYTES.get(image.name, 1e12)


def inside(layer: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(layer) as archive:
        return archive.getmembers()


def blob(folder: Path, named: dict[str, Any]) -> Path:
    return folder / "blobs" / Path(*named["digest"].split(":"))


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("image", images.PRODUCT, ids=lambda image: image.name)
def test_what_is_built_again_is_the_same(image: images.Image) -> None:
    images.build_images((image,))
    # The first one comes out of those layers, be they of another day.
    first, second = (
        images.bud(image, f"localhost/sentiment-operator/again:{name}", *options)
        for name, options in (("before", ()), ("now", ("--no-cache",)))
    )
    assert first == second
