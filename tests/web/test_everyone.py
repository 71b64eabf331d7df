"""For everyone: languages, themes, sizes, keyboard, screen readers, prefixes, keys; and the page's looks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Page, expect
from sentiment_service.settings import BUNDLED_MODEL

from e2e.webtools import WEB
from tests.service.running import Running, running
from tests.web.conftest import Open
from tests.web.files import review_csv, reviews

pytestmark = pytest.mark.browser
VIEWS = ("live", "batch", "history", "status")
ROWS = 300  # of a file that is longer than what is drawn
SEEN = Path(__file__).parent / "seen"
_SMALL = 8  # screenshots are compared at this part of their size: what fonts and hinting change fades


def fill(page: Page, view: str, folder: Path) -> None:
    """Bring a view to where it has something to show."""
    if view == "live":
        page.locator("#live-text").fill("屏幕很好，但是电池太差")
        expect(page.locator(".clause.negative")).to_be_visible()
    elif view == "history":
        page.locator("nav a[href='#live']").click()
        for text in ("服务态度很好，解决问题很快", "客服完全不理人，差评"):
            page.locator("#live-text").fill(text)
            expect(page.locator(".clauses")).to_contain_text(text[:4])
            page.locator("nav a[href='#history']").click()
            expect(page.locator(".entry").first).to_contain_text(text)
            page.locator("nav a[href='#live']").click()
        page.locator("nav a[href='#history']").click()
        expect(page.locator(".entry")).to_have_count(3)  # the live view's text is the first
        for box in page.locator(".entry input").all():
            box.check()
    elif view == "status":
        expect(page.locator(".health")).to_be_visible()
        expect(page.locator(".facts")).to_have_count(2)
        expect(page.get_by_text("bundled-")).to_be_visible()
    else:
        page.locator("#file").set_input_files(review_csv(folder / "reviews.csv", 40))
        page.locator("form button[type=submit]").click()
        expect(page.locator(".progress[data-phase=done]")).to_be_visible(timeout=60_000)


def check_axe(page: Page) -> None:
    script = (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text()
    # Through the debugger, which the page's policy does not bind.
    page.evaluate(script + "; undefined")
    report = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']})"
    )
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in report["violations"]] == []


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_views_are_accessible_and_look_as_they_did(
    open_page: Open, tmp_path: Path, artefacts: Path, locale: str, theme: str
) -> None:
    new: list[str] = []
    # Names differ by language and contrasts by theme: two of the four pages have them all.
    judged = (locale, theme) in (("zh-CN", "light"), ("en-GB", "dark"))
    page = open_page(locale=locale, theme=theme)
    assert page.locator("html").get_attribute("lang") == ("zh-CN" if locale == "zh-CN" else "en")
    for view in VIEWS:
        page.locator(f"nav a[href='#{view}']").click()
        fill(page, view, tmp_path)
        if judged:
            check_axe(page)
        if not compare(page, f"{view}-{locale[:2]}-{theme}", artefacts):
            new.append(view)
    page.locator("nav a[href='#batch']").click()
    page.get_by_role("button", name="图表" if locale == "zh-CN" else "Charts").click()
    expect(page.locator(".chart canvas")).to_have_count(6)
    expect(page.locator(".chart .tall")).to_have_attribute("aria-label", re.compile(r"\d"))
    if judged:
        check_axe(page)
    if not compare(page, f"charts-{locale[:2]}-{theme}", artefacts):
        new.append("charts")
    assert new == [], f"new in {SEEN}: look at them in {artefacts}, and commit them"


def compare(page: Page, name: str, artefacts: Path) -> bool:
    """Keep the screenshot; it must look like the one in `seen/`, up to fonts and figures that change.

    False when there was none: then it is there now.
    """
    changing = [page.locator("time"), page.locator(".verdict .hint"), page.locator(".facts dd")]
    file = artefacts / f"{name}.png"
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.screenshot(path=file, mask=changing, mask_color="#808080", animations="disabled")
    with Image.open(file) as image:
        small = image.convert("RGB").resize(
            (image.width // _SMALL, image.height // _SMALL), Image.Resampling.BOX
        )
    seen = SEEN / f"{name}.png"
    if not seen.exists():
        seen.parent.mkdir(exist_ok=True)
        small.save(seen, optimize=True)
        return False
    with Image.open(seen) as before:
        difference = ImageChops.difference(small, before.convert("RGB"))
    far = sum(ImageStat.Stat(difference).mean) / 3
    assert far < 3, f"{name} looks different ({far:.1f} of 255): compare {file}; delete {seen} to accept it"
    return True


@pytest.mark.parametrize("width", [360, 3840])
def test_nothing_runs_out_of_the_screen(open_page: Open, tmp_path: Path, width: int) -> None:
    page = open_page(locale="en-GB", size=(width, 800))
    for view in VIEWS:
        page.locator(f"nav a[href='#{view}']").click()
        fill(page, view, tmp_path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view


def test_keyboard_alone(open_page: Open, tmp_path: Path) -> None:
    page = open_page("status", locale="en-GB")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    for name in ("Live", "Batch"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#batch-title")).to_be_visible()
    page.locator("#file").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(review_csv(tmp_path / "a.csv", ROWS))
    page.get_by_role("button", name="Analyse all rows").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".progress[data-phase=done]")).to_be_visible(timeout=60_000)
    expect(page.locator("#batch-title")).to_be_focused()  # not lost with the button
    page.get_by_label("Order").focus()
    page.keyboard.press("Tab")  # the table, then one of its rows, then what follows
    expect(page.locator(".results")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".cell-button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Row 1")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("End")
    expect(page.get_by_role("button", name=reviews(ROWS)[-1][2])).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text(f"Row {ROWS - 1}")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Excel")).to_be_focused()


def test_choices_survive_a_reload(open_page: Open) -> None:
    page = open_page(locale="fr-FR")  # neither language: English
    page.get_by_role("button", name="中文").click()
    page.get_by_label("外观").select_option("dark")
    page.reload()
    expect(page.locator("#live-title")).to_have_text("这句话是什么态度？")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"


def test_the_first_view_is_small(open_page: Open) -> None:
    page = open_page()
    sizes = page.evaluate(
        """Object.fromEntries(performance.getEntriesByType("resource").concat(
             performance.getEntriesByType("navigation")).map((one) => [one.name, one.transferSize]))"""
    )
    assert sum(sizes.values()) < 300_000, sizes
    assert not [name for name in sizes if "draw-" in name or "xlsx-" in name]


def test_behind_a_prefix_and_a_key(
    open_page: Open, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("care=right-key-1234567890\n")
    folder = tmp_path_factory.mktemp("prefixed")
    with running(BUNDLED_MODEL, folder, warm_up=True, root_path="/sentiment", api_keys_file=keys) as service:
        base = f"{str(service.http.base_url).rstrip('/')}/sentiment"
        page = open_page(locale="en-GB", url=f"{base}/", allow=("401",))
        expect(page.get_by_role("dialog")).to_contain_text("An API key is needed")
        page.get_by_label("Key", exact=True).fill("wrong-key-1234567890")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Key", exact=True)).to_have_value("")
        page.get_by_label("Key", exact=True).fill("right-key-1234567890")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.locator("#live-text").fill("服务很好，喜欢")
        expect(page.locator(".verdict")).to_be_visible()
        page.reload()
        page.locator("#live-text").fill("服务很好，喜欢")
        expect(page.locator(".verdict")).to_be_visible()  # not asked again
        assert "right-key" not in json.dumps(page.evaluate("({...localStorage})"))
        page.locator("nav a[href='#status']").click()
        expect(page.locator(".health")).to_be_visible()
        page.get_by_role("link", name="API documentation").click()
        expect(page.locator("#state")).to_contain_text("sentiment-service")
        expect(page.locator("details").first).to_be_visible()


def test_status_says_what_the_service_says(open_page: Open, site: Running) -> None:
    page = open_page("status", locale="en-GB")
    info = site.http.get("/api/v1/info").json()
    expect(page.locator(".health")).to_contain_text("Healthy")
    for text in (info["model"]["name"], info["model"]["precision"], info["model"]["digest"], "openvino"):
        expect(page.locator(".facts").first).to_contain_text(text)
    expect(page.locator(".facts").last).to_contain_text("MiB")
    for name in ("In progress", "Texts waiting"):
        row = page.locator(".facts div", has_text=name)
        expect(row.locator("dd")).to_have_text(re.compile(r"\d"))


def test_a_service_that_does_not_answer_is_said(open_page: Open) -> None:
    page = open_page(locale="en-GB", allow=("ERR_", "Failed to load"))
    page.context.set_offline(True)
    page.locator("#live-text").fill("服务很好，喜欢")
    expect(page.locator(".alert")).to_have_text("The service does not answer")
    page.context.set_offline(False)
    page.locator("#live-text").fill("服务很好，喜欢！")
    expect(page.locator(".verdict")).to_be_visible()
