"""The documentation as a site: every link leads somewhere, and no page asks anybody else for anything."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from e2e.cluster.paths import REPO
from e2e.docs.pages import generated

# What a browser fetches by itself; `a` is only followed by people.
_FETCHED = {"src", "srcset", "data", "poster"}
_ELSEWHERE = re.compile(r"(https?:)?//")


class _Fetches(HTMLParser):
    """What a page makes a browser fetch from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        wanted = _FETCHED | ({"href"} if tag == "link" else set())
        canonical = ("rel", "canonical") in attributes
        for name, value in attributes:
            if name in wanted and not canonical and _ELSEWHERE.match(value or ""):
                self.found.append(f"{tag} {value}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a link or an anchor that leads nowhere ends the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        seen = _Fetches()
        seen.feed(page.read_text())
        assert seen.found == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text()), style.name


def test_every_page_is_in_the_navigation(site: Path) -> None:
    shown = (site / "index.html").read_text()
    for page in (REPO / "docs").rglob("*.md"):
        name = page.relative_to(REPO / "docs").with_suffix(".html")
        assert f'href="{name}"' in shown, name


def test_generated_pages_are_current() -> None:
    stale = [path.name for path, text in generated().items() if path.read_text() != text]
    assert stale == [], "run `make generate`"


def test_each_threat_is_met_by_tests_that_there_are() -> None:
    told = re.findall(r"`((?:tests|e2e)/[\w/.]+)`", (REPO / "docs/security.md").read_text())
    assert len(told) > 20
    assert [path for path in told if not (REPO / path).exists()] == []
