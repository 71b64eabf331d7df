"""For everyone: languages, themes, sizes, keyboard, screen readers, prefixes, keys; and the page's looks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Page, ViewportSize, expect

from e2e.webtools import WEB
from tests.service.running import Running, wait_for
from tests.web.conftest import KEY, Open
from tests.web.files import review_csv, reviews

pytestmark = pytest.mark.browser
VIEWS = ("live", "batch", "history", "status")
ROWS = 300  # of a file that is longer than what is drawn
SEEN = Path(__file__).parent / "seen"
USUAL: ViewportSize = {"width": 1280, "height": 900}
_SMALL = 8  # screenshots are compared at this part of their size: what fonts and hinting change fades
_PLACE = 5  # and then by places of so many of their pixels: 40 of the page, less than a button


def fill(page: Page, view: str, folder: Path) -> None:
    """Bring a view to where it has something to show."""
    if view == "live":
        # Far from the neutral band, so that it looks the same with the next model.
        page.locator("#live-text").fill("屏幕很好，但是电池太差，客服完全不理人，差评")
        expect(page.locator(".clause.negative").last).to_be_visible()
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
    elif view == "charts":
        page.locator("nav a[href='#batch']").click()
        page.locator(".tabs button").last.click()
        expect(page.locator(".chart canvas")).to_have_count(6)
        expect(page.locator(".chart .tall")).to_have_attribute("aria-label", re.compile(r"\d"))
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
def test_views_fit_are_accessible_and_look_as_they_did(
    open_page: Open, tmp_path: Path, artefacts: Path, locale: str
) -> None:
    new: list[str] = []
    page = open_page(locale=locale)
    assert page.locator("html").get_attribute("lang") == ("zh-CN" if locale == "zh-CN" else "en")
    for view in (*VIEWS, "charts"):
        if view != "charts":
            page.locator(f"nav a[href='#{view}']").click()
        fill(page, view, tmp_path)
        for width in (360, 3840):
            page.set_viewport_size({"width": width, "height": 800})
            wait_for(f"{view} within {width} pixels", lambda width=width: _width(page) <= width)  # type: ignore[misc]
        page.set_viewport_size(USUAL)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            # Names differ by language and contrasts by theme: two of the four have them all.
            if (locale, theme) in (("zh-CN", "light"), ("en-GB", "dark")):
                check_axe(page)
            name = f"{view}-{locale[:2]}-{theme}"
            if not compare(page, name, artefacts):
                new.append(name)
    assert new == [], f"new in {SEEN}: look at them in {artefacts}, and commit them"


def _width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


_FIXED_WIDTH = """for (const one of document.querySelectorAll(".verdict .hint"))
    Object.assign(one.style, {display: "inline-block", overflow: "hidden", width: "5em"})"""


def compare(page: Page, name: str, artefacts: Path) -> bool:
    """Keep the screenshot; it must look like the one in `seen/`, up to fonts and figures that change.

    False when there was none: then it is there now.
    """
    changing = [page.locator(one) for one in ("time", ".verdict .hint", ".verdict .number", ".facts dd")]
    file = artefacts / f"{name}.png"
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    # A time of three digits is wider than one of one.
    page.evaluate(_FIXED_WIDTH)
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
    # By places, as a word or a button is nothing in the mean of a page.
    places = difference.resize((small.width // _PLACE, small.height // _PLACE), Image.Resampling.BOX)
    far = max(high for _, high in ImageStat.Stat(places).extrema)
    assert far < 14, f"{name} looks different ({far} of 255): compare {file}; delete {seen} to accept it"
    return True


def test_keyboard_alone(open_page: Open, tmp_path: Path) -> None:
    page = open_page("status", locale="en-GB")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    for name in ("Live", "Batch"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#batch-title")).to_be_visible()
    with page.expect_file_chooser() as chooser:
        page.locator("#file").press("Space")
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


def give_key(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")


def test_behind_a_prefix_and_a_key(open_page: Open, guarded: str) -> None:
    page = open_page(locale="en-GB", url=guarded, allow=("401",))
    expect(page.get_by_role("dialog")).to_contain_text("An API key is needed")
    expect(page.get_by_role("alert")).to_have_count(0)
    check_axe(page)
    for wrong in ("wrong-key-1234567890", "钥匙"):  # the second no request could carry
        give_key(page, wrong)
        expect(page.get_by_label("Key", exact=True)).to_have_value("")
        expect(page.get_by_role("alert")).to_contain_text("not valid")
    give_key(page, KEY)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("#live-text").fill("服务很好，喜欢")
    expect(page.locator(".verdict")).to_be_visible()
    page.reload()
    page.locator("#live-text").fill("服务很好，喜欢")
    expect(page.locator(".verdict")).to_be_visible()  # not asked again
    assert KEY not in json.dumps(page.evaluate("({...localStorage})"))
    page.locator("nav a[href='#status']").click()
    expect(page.locator(".health")).to_be_visible()
    page.get_by_role("link", name="API documentation").click()
    expect(page.locator("#state")).to_contain_text("sentiment-service")
    page.locator("details", has_text="Request").first.click()
    expect(page.locator("pre:not([hidden])").first).to_be_visible()
    check_axe(page)


def test_who_gives_no_key_is_not_asked_again_and_again(open_page: Open, guarded: str) -> None:
    page = open_page("status", locale="en-GB", url=guarded, allow=("401",))
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".alert")).to_contain_text("Without a valid key")
    with page.expect_response("**/api/v1/info"):  # the view goes on
        page.clock.run_for(4000)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".alert")).to_contain_text("Without a valid key")
    expect(page.locator(".facts").last).to_contain_text("MiB")
    page.get_by_role("link", name="Live").click()
    page.locator("#live-text").fill("服务很好，喜欢")
    give_key(page, KEY)
    expect(page.locator(".verdict")).to_be_visible()


def test_a_browser_that_stores_nothing_shows_the_page(open_page: Open) -> None:
    page = open_page(locale="en-GB")
    for name in ("localStorage", "sessionStorage", "indexedDB"):
        refuse = "throw new DOMException('no', 'SecurityError')"
        page.add_init_script(f"Object.defineProperty(window, '{name}', {{ get() {{ {refuse}; }} }});")
    page.reload()
    page.get_by_role("button", name="中文").click()
    page.locator("#live-text").fill("服务很好，喜欢")
    expect(page.locator(".verdict")).to_contain_text("积极")
    page.locator("nav a[href='#history']").click()
    expect(page.get_by_text("不允许保存")).to_be_visible()


def test_status_says_what_the_service_says(open_page: Open, site: Running) -> None:
    page = open_page("status", locale="en-GB")
    page.clock.install()
    page.reload()
    info = site.http.get("/api/v1/info").json()
    expect(page.locator(".health")).to_contain_text("Healthy")
    for text in (info["model"]["name"], info["model"]["precision"], info["model"]["digest"], "openvino"):
        expect(page.locator(".facts").first).to_contain_text(text)
    expect(page.locator(".facts").last).to_contain_text("MiB")
    for name in ("In progress", "Texts waiting"):
        row = page.locator(".facts div", has_text=name)
        expect(row.locator("dd")).to_have_text(re.compile(r"\d"))
    # Another version takes over while the page is open.
    page.route("**/api/v1/info", lambda route: route.fulfill(json={**info, "version": "9.8.7"}))
    page.clock.run_for(4000)
    expect(page.locator(".facts").last).to_contain_text("9.8.7")


def test_a_service_that_does_not_answer_is_said(open_page: Open) -> None:
    page = open_page(locale="en-GB", allow=("ERR_", "Failed to load"))
    page.context.set_offline(True)
    page.locator("#live-text").fill("服务很好，喜欢")
    expect(page.locator(".alert")).to_have_text("The service does not answer")
    page.context.set_offline(False)
    page.locator("#live-text").fill("服务很好，喜欢！")
    expect(page.locator(".verdict")).to_be_visible()
