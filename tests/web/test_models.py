"""A service of several models: one choice for all views, by mouse and keyboard, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.service.running import Running, running, wait_for
from tests.service.tiny_model import WEIGHTS, write_package
from tests.web.conftest import Open
from tests.web.test_everyone import check_axe

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`plain` reads 好 as praise, `contrary` as the opposite; `absent` has no package."""
    folder = tmp_path_factory.mktemp("models")
    write_package(folder / "plain")
    write_package(folder / "contrary", weights={char: -weight for char, weight in WEIGHTS.items()})
    models = ",".join(f"{name}={folder / name}" for name in ("plain", "contrary", "absent"))
    with running(Path(), folder, models=models) as service:
        yield service


def test_the_chosen_model_answers_in_every_view(open_page: Open, several: Running, tmp_path: Path) -> None:
    page = open_page(locale="en-GB", url=f"{several.http.base_url}/")
    choice = page.get_by_label("Model", exact=True)
    expect(choice).to_have_value("plain")
    page.locator("#live-text").fill("好")
    expect(page.locator(".verdict .tag.positive")).to_be_visible()
    choice.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".verdict .tag.negative")).to_be_visible()
    check_axe(page)

    page.get_by_role("link", name="Batch").click()
    file = tmp_path / "texts.csv"
    file.write_text("text\n好\n")
    page.locator("#file").set_input_files(file)
    page.get_by_role("button", name="Analyse all rows").click()
    expect(page.locator(".progress[data-phase=done]")).to_be_visible()
    expect(page.locator(".results .tag.negative")).to_be_visible()
    # A file stays with the model that it began with.
    choice.select_option("plain")
    expect(page.get_by_text("Answered by the model contrary")).to_be_visible()

    page.get_by_role("link", name="Status").click()
    cards = page.locator(".card").filter(has=page.locator("h2"))
    expect(cards).to_have_count(4)
    expect(cards.nth(0)).to_contain_text("In memory · Answers requests that name no model")
    expect(cards.nth(1)).to_contain_text("In memory")
    expect(cards.nth(2)).to_contain_text("no model package")
    check_axe(page)
    page.set_viewport_size({"width": 360, "height": 800})
    width = "document.documentElement.scrollWidth"
    wait_for("all within 360 pixels", lambda: page.evaluate(width) <= 360)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_label("模型", exact=True)).to_have_value("plain")
    expect(cards.nth(2)).to_contain_text("未加载")
    page.reload()
    expect(page.get_by_label("模型", exact=True)).to_have_value("plain")
