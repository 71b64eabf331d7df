"""The main views in the other engine: Debian's Firefox, driven by WebDriver BiDi."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.webtools import FIREFOX, ensure_firefox, install_packages, node
from tests.service.running import Running
from tests.web.files import review_csv

pytestmark = pytest.mark.browser


def test_the_main_views_in_firefox(site: Running, tmp_path: Path, artefacts: Path) -> None:
    ensure_firefox()
    install_packages()
    file = review_csv(tmp_path / "reviews.csv", 40, "gb18030")
    seen = json.loads(node("test/firefox.mjs", FIREFOX, f"{site.http.base_url}/", file, artefacts))
    assert (seen["complaints"], seen["outside"]) == ([], [])
    assert "屏幕很好" in seen["live"]
    assert "40 / 40" in seen["batch"]
    assert seen["kept"].startswith("reviews.csv 40 of 40")
    assert seen["status"].startswith("Healthy")
