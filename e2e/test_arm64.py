"""The images for arm64, under QEMU where the processor is another: `make test-release`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cluster import images
from .cluster.emulation import runnable
from .demo import TEXTS
from .test_release import MOST_BYTES

pytestmark = pytest.mark.release
_AARCH64 = 183

# All of the service but HTTP. What is emulated takes seconds for a text, and does not hang.
ANSWERS = """
import asyncio, json
from sentiment_service.cli.judge import judging
from sentiment_service.engine import process, served
from sentiment_service.settings import Settings
process._PONG_WITHIN_SECONDS = served._HUNG_SECONDS = 600.0
async def main():
    async with judging(Settings()) as judge:
        print(json.dumps([found.sentiment for found in await judge.judge(TEXTS)]))
asyncio.run(main())
"""
FURTHEST_FROM_F32 = """
import numpy as np
from sentiment_service.engine.openvino_engine import OpenVinoEngine
from sentiment_service.settings import BUNDLED_MODEL
from tokenizers import Tokenizer
def logits(precision):
    engine = OpenVinoEngine(BUNDLED_MODEL / "model.xml", 1, precision)
    engine.load()
    return [engine.infer(ids, np.ones_like(ids)) for ids in rows]
encode = Tokenizer.from_file(str(BUNDLED_MODEL / "tokenizer.json")).encode
rows = [np.array([encode(text).ids]) for text in TEXTS]
print(np.abs(np.subtract(logits(""), logits("f32"))).max())
"""


def built(image: images.Image) -> str:
    """The image's id."""
    [archive] = images.build_images((image,), "arm64")
    return images.pulled(archive)


@pytest.fixture
def opened() -> Iterator[str]:
    """A container of the service's image."""
    with images.container(built(images.PRODUCT[0])) as name:
        yield name


def machines(files: list[Path]) -> Iterator[int]:
    """What processor each program and library is for."""
    for file in files:
        with file.open("rb") as content:
            if (head := content.read(20)).startswith(b"\x7fELF"):
                yield int.from_bytes(head[18:], "little")


def said(opened: str, script: str) -> str:
    """What the image's Python prints."""
    python = ["/app/bin/python", "-c", f"TEXTS = {TEXTS}\n{script}"]
    with runnable("arm64"):
        return images.buildah("run", "--isolation=chroot", opened, "--", *python, what="python")


@pytest.mark.parametrize("image", images.PRODUCT, ids=lambda image: image.name)
def test_nothing_in_an_image_is_for_another_processor(image: images.Image) -> None:
    identity = built(image)
    query = ["inspect", "--type=image", "--format={{.OCIv1.Architecture}}", identity]
    assert images.buildah(*query, what="buildah inspect").strip() == "arm64"
    with images.container(identity) as opened:
        files = [one for one in images.mount(opened).rglob("*") if one.is_file() and not one.is_symlink()]
        found = list(machines(files))
        assert sum(file.stat().st_size for file in files) <= MOST_BYTES.get(image.name, 1e12)
    assert len(found) > 20
    assert set(found) == {_AARCH64}


def test_it_answers(opened: str) -> None:
    assert json.loads(said(opened, ANSWERS)) == ["积极", "消极", "消极", "积极"]


def test_the_precision_it_computes_in_changes_no_answer(opened: str) -> None:
    assert float(said(opened, FURTHEST_FROM_F32)) < 0.15
