"""The service's image for arm64, under QEMU where the processor is another: `make test-release`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cluster import images
from .cluster.emulation import runnable
from .demo import TEXTS

pytestmark = pytest.mark.release
_AARCH64 = 183
MOST_BYTES = 350e6


@pytest.fixture(scope="module")
def identity() -> str:
    [archive] = images.build_images((images.PRODUCT[0],), "arm64")
    return images.pulled(archive)


@pytest.fixture
def opened(identity: str) -> Iterator[str]:
    with images.container(identity) as name:
        yield name


def machines(files: list[Path]) -> Iterator[int]:
    """What processor each program and library is for."""
    for file in files:
        with file.open("rb") as content:
            if (head := content.read(20)).startswith(b"\x7fELF"):
                yield int.from_bytes(head[18:], "little")


def test_nothing_in_the_image_is_for_another_processor(identity: str, opened: str) -> None:
    query = ["inspect", "--type=image", "--format={{.OCIv1.Architecture}}", identity]
    assert images.buildah(*query, what="buildah inspect").strip() == "arm64"
    files = [one for one in images.mount(opened).rglob("*") if one.is_file() and not one.is_symlink()]
    found = list(machines(files))
    assert len(found) > 50
    assert set(found) == {_AARCH64}
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


def test_it_answers(opened: str, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    analyze = ["/app/bin/python", "-m", "sentiment_service", "analyze", "/in/texts.txt", "--format", "jsonl"]
    tmp_path.chmod(0o755)
    options = ["--isolation=chroot", f"--volume={tmp_path}:/in:ro"]
    with runnable("arm64"):
        answer = images.buildah("run", *options, opened, "--", *analyze, what="analyze")
    labels = [json.loads(line)["analysis"]["sentiment"] for line in answer.splitlines()]
    assert labels == ["积极", "消极", "消极", "积极"]
