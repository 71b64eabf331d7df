"""Each block of README and quick start is run by a test, or it stands here why not."""

import re
from pathlib import Path

import pytest
import yaml

from e2e.cluster.paths import REPO
from e2e.docs.blocks import CLUSTER, Block, blocks

README = REPO / "README.md"
QUICK_START = REPO / "docs/quick-start.md"
CHINESE = REPO / "docs/quick-start.zh.md"
PAGES = (README, QUICK_START, CHINESE)
RUN = "e2e/test_quick_start.py::test_the_quick_start_from_top_to_bottom"
BY_HAND = "e2e/test_demo.py::test_the_demo_as_the_quick_start_has_it"
# What no test can run, and why.
NOT_RUN = {
    "CONTEXT=my-context IMAGE_PREFIX=registry.example.com/nlp make demo": "needs the reader's registry"
}
EXAMPLES = {
    (README, "yaml"): "tests/docs/test_blocks.py::test_the_readme_shows_the_sample",
    (README, "json"): RUN,
    (CHINESE, "yaml"): "tests/docs/test_blocks.py::test_the_chinese_page_shows_a_sample",
}


def proof(page: Path, block: Block) -> str:
    """The test that runs a block."""
    if block.language != "sh":
        return EXAMPLES[page, block.language]
    return BY_HAND if block.text.startswith(CLUSTER) else RUN


def test_each_block_is_run_by_a_test_that_there_is() -> None:
    found = [(page, block) for page in PAGES for block in blocks(page)]
    not_run = [block.text.strip() for _, block in found if block.text.strip() in NOT_RUN]
    assert sorted(set(not_run)) == sorted(NOT_RUN)
    assert len(found) > 20
    for page, block in found:
        file, _, name = proof(page, block).partition("::")
        assert f"def {name}(" in (REPO / file).read_text(), block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_outside_a_fence(page: Path) -> None:
    assert not re.search(r"\n\n {4,}\S", page.read_text())


def test_both_languages_show_the_same_commands() -> None:
    english, chinese = (
        [one for one in blocks(page) if one.language == "sh"] for page in (QUICK_START, CHINESE)
    )
    assert english == chinese


def _examples(page: Path, language: str) -> list[str]:
    return [one.text for one in blocks(page) if one.language == language]


def test_the_readme_shows_the_sample() -> None:
    [shown] = _examples(README, "yaml")
    assert shown == (REPO / "manifests/samples/sentimentservice.yaml").read_text()


def test_the_chinese_page_shows_a_sample() -> None:
    [shown] = _examples(CHINESE, "yaml")
    samples = yaml.safe_load_all((REPO / "manifests/samples/models/structbert.yaml").read_text())
    assert yaml.safe_load(shown) in samples
