"""A file under way survives a reload and a closed tab, in the browser's own database, within bounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.service.running import Running, wait_for
from tests.web.conftest import Open
from tests.web.files import review_csv, reviews
from tests.web.test_batch import analyse, choose, export, finish

pytestmark = pytest.mark.browser
COUNT, PIECE = 700, 500  # rows, and how many of them the page sends first


def offers(page: Page) -> list[str]:
    """What can be continued, once the page has looked."""
    expect(page.locator("#batch-title")).to_be_visible()
    return page.locator(".entry").all_inner_texts()


def kept(page: Page) -> int:
    """Rows whose answers are in the browser's database; 0 before there is one."""
    found: int = page.evaluate(
        """new Promise((done) => {
          const open = indexedDB.open("sentiment-files");
          open.onupgradeneeded = () => open.transaction.abort();
          open.onerror = () => done(0);
          open.onsuccess = () => {
            const all = open.result.transaction("answers").objectStore("answers").getAll();
            all.onsuccess = () => { open.result.close(); done(all.result.at(-1)?.done ?? 0); };
          };
        })"""
    )
    return found


def test_a_reload_and_a_closed_tab_lose_no_answer(open_page: Open, site: Running, tmp_path: Path) -> None:
    page = open_page("batch", locale="en-GB")
    sent: list[Route] = []

    def let_the_first_through(route: Route) -> None:
        sent.append(route)
        if len(sent) == 1:
            route.continue_()

    page.route("**/analyze/stream", let_the_first_through)
    choose(page, review_csv(tmp_path / "reviews.csv", COUNT, "gb18030"))
    analyse(page)
    wait_for("answers in the database", lambda: kept(page) == PIECE)
    page.reload()
    page.unroute("**/analyze/stream")
    expect(page.locator(".entry")).to_contain_text("reviews.csv")
    expect(page.locator(".entry")).to_contain_text(f"{PIECE} of {COUNT}")
    asked = site.metric("structbert_texts_total")
    page.get_by_role("button", name="Continue: reviews.csv").click()
    finish(page)
    assert site.metric("structbert_texts_total") - asked == COUNT - PIECE
    wait_for("all answers in the database", lambda: kept(page) == COUNT)

    context = page.context
    page.close()
    page = context.new_page()
    page.goto(f"{site.http.base_url}/#batch")
    page.get_by_role("button", name="Open: reviews.csv").click()
    finish(page)
    assert site.metric("structbert_texts_total") - asked == COUNT - PIECE
    rows = json.loads(export(page, "JSON")[1])
    assert [row["评价内容"] for row in rows] == [text for _, _, text in reviews(COUNT)]
    assert all("sentiment" in row["analysis"] for row in rows)

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Another file").click()
    wait_for("an empty database", lambda: kept(page) == 0)
    page.reload()
    assert offers(page) == []


def test_what_is_kept_is_bounded_and_can_be_deleted(open_page: Open, tmp_path: Path) -> None:
    page = open_page("batch", locale="en-GB")
    for number in range(4):
        choose(page, review_csv(tmp_path / f"{number}.csv", 3))
        analyse(page)
        finish(page)
        expect(page.get_by_text("also kept in this browser")).to_be_visible()
        page.reload()
        expect(page.locator(".entry").first).to_contain_text(f"{number}.csv")
    assert [text[:5] for text in offers(page)] == ["3.csv", "2.csv", "1.csv"]
    page.get_by_role("button", name="Delete: 2.csv").click()
    expect(page.locator(".entry")).to_have_count(2)
    page.reload()
    expect(page.locator(".entry")).to_have_count(2)


def test_a_browser_that_keeps_nothing_says_so(open_page: Open, tmp_path: Path) -> None:
    page = open_page("batch", locale="en-GB")
    refuse = "throw new DOMException('no', 'SecurityError')"
    page.add_init_script(f"IDBFactory.prototype.open = () => {{ {refuse}; }};")
    page.reload()
    choose(page, review_csv(tmp_path / "a.csv", 3))
    analyse(page)
    finish(page)
    expect(page.get_by_text("did not keep the file")).to_be_visible()
