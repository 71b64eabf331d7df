"""Live view and history, as a person uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.service.running import Running
from tests.web.conftest import KEY, Open

pytestmark = pytest.mark.browser
MIXED = "屏幕很好，但是电池太差"
BATCH = "**/api/v1/sentiment/analyze/batch"


def write(page: Page, text: str) -> None:
    page.locator("#live-text").fill(text)


def verdict(page: Page) -> Any:
    return page.locator(".verdict")


def test_an_answer_while_typing_is_the_services_own(open_page: Open, site: Running) -> None:
    page = open_page()
    page.locator("#live-text").press_sequentially("客服完全不理人，差评")
    expect(verdict(page).locator(".tag.negative")).to_be_visible()
    texts = {"texts": ["客服完全不理人，差评"], "return_details": True}
    answer = site.http.post("/api/v1/sentiment/analyze/batch", json=texts).json()["data"][0]
    shown = page.locator(".probabilities .number").all_inner_texts()
    assert shown == [f"{answer['probabilities'][name]:.1%}" for name in ("positive", "negative")]
    expect(verdict(page)).to_contain_text(f"{answer['confidence']:.1%}")
    expect(verdict(page)).to_contain_text(" ms")
    # The neutral band is explained.
    neutral = site.http.get("/api/v1/info").json()["model"]["neutral"]
    expect(page.locator(".card .hint", has_text=f"{neutral['low']:.0%}")).to_be_visible()


def test_each_clause_has_its_own_colour(open_page: Open) -> None:
    page = open_page(locale="en-GB")
    page.get_by_role("button", name=MIXED).click()
    expect(page.locator(".clause.positive")).to_contain_text("屏幕很好，")
    expect(page.locator(".clause.negative")).to_contain_text("但是电池太差")


def test_an_older_answer_never_overtakes(open_page: Open) -> None:
    page = open_page(allow=("ERR_FAILED", "ERR_ABORTED"))
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route(BATCH, hold_first)
    with page.expect_request(BATCH):
        write(page, "客服完全不理人，差评")
    write(page, "服务态度很好，解决问题很快")
    expect(verdict(page).locator(".tag.positive")).to_be_visible()
    # The page gave the first one up, so there is nobody to answer; what comes must not be shown.
    body = {"success": True, "data": [{"english_label": "Negative", "confidence": 1, "truncated": False}]}
    held[0].fulfill(json=body)
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    expect(verdict(page).locator(".tag.positive")).to_be_visible()


def test_truncation_and_excess_are_said(open_page: Open) -> None:
    page = open_page()
    write(page, "好#" * 256)  # no words, so that no tokeniser makes fewer tokens than characters of it
    expect(page.locator(".alert")).to_contain_text("512")
    expect(verdict(page)).to_be_visible()
    write(page, "好" * 600 + "，真的很好")
    expect(page.locator(".alert")).to_contain_text("MAX_TEXT_LENGTH")
    expect(page.locator("#live-count")).to_have_class("hint bad")


@pytest.mark.parametrize("keyed", [False, True])
def test_copied_commands_run(open_page: Open, guarded: str, keyed: bool) -> None:
    page = open_page(url=guarded if keyed else "", allow=("401",))
    if keyed:
        page.get_by_label("密钥", exact=True).fill(KEY)
        page.keyboard.press("Enter")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    write(page, 'it\'s 很好用😀 "真的" \\')
    environment = {**os.environ, "API_KEY": KEY}
    for name, command in (("curl", ["bash", "-c"]), ("Python", [sys.executable, "-c"])):
        button = page.get_by_role("button", name=f"复制为 {name}")
        button.click()
        expect(button.locator("+ [role=status]")).to_have_text("已复制")
        script = page.evaluate("navigator.clipboard.readText()")
        assert KEY not in script  # it may be passed on
        done = subprocess.run(
            [*command, script], env=environment, capture_output=True, text=True, timeout=30, check=True
        )
        assert "很好用" in done.stdout, done.stdout
        if name == "curl":
            assert json.loads(done.stdout)["data"]["text"] == 'it\'s 很好用😀 "真的" \\'


def test_markup_is_text(open_page: Open) -> None:
    page = open_page()
    hostile = "<img src=x onerror=alert(1)>，<script>alert(1)</script>很好，差评"
    write(page, hostile)
    expect(page.locator(".clauses")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img, main script").count() == 0
    page.locator("nav a[href='#history']").click()
    expect(page.locator(".entry-text")).to_have_text(hostile)
    assert page.locator("main img, main script").count() == 0


def test_history_is_kept_searched_compared_and_deleted(open_page: Open) -> None:
    page = open_page(locale="en-GB")
    texts = ["服务态度很好，解决问题很快", "客服完全不理人，差评", "物流速度太慢了，等了一周才到"]
    for text in texts:
        page.locator("nav a[href='#live']").click()
        write(page, text)
        expect(page.locator(".clauses")).to_contain_text(text[:4])
        page.locator("nav a[href='#history']").click()
        expect(page.locator(".entry").first).to_contain_text(text)
    page.reload()
    entries = page.locator(".entry")
    expect(entries).to_have_count(3)
    expect(entries.first).to_contain_text(texts[2])
    page.get_by_role("searchbox").fill("差评")
    expect(entries).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Filter by sentiment").select_option("negative")
    expect(entries).to_have_count(2)
    page.get_by_label("Filter by sentiment").select_option("")
    entries.nth(0).get_by_role("checkbox").check()
    entries.nth(2).get_by_role("checkbox").check()
    expect(page.locator(".comparison article")).to_have_count(2)
    page.get_by_role("button", name=f"Delete: {texts[1]}").click()
    expect(entries).to_have_count(2)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete all").click()
    expect(entries).to_have_count(0)
    page.reload()
    expect(page.locator(".empty")).to_contain_text("Nothing yet")


def test_history_is_bounded(open_page: Open) -> None:
    page = open_page("history")
    page.wait_for_selector(".empty")
    page.evaluate(
        """new Promise((done) => {
          const open = indexedDB.open("sentiment");
          open.onsuccess = () => {
            const work = open.result.transaction("entries", "readwrite");
            for (let i = 0; i < 500; i++)
              work.objectStore("entries").add({ text: `旧 ${i}`, at: i, label: "neutral", confidence: 0.5,
                positive: 0.5, truncated: false });
            work.oncomplete = () => { open.result.close(); done(); };
          };
        })"""
    )
    page.reload()
    expect(page.locator(".entry")).to_have_count(500)
    page.locator("nav a[href='#live']").click()
    write(page, "最新的一条，很好")
    expect(page.locator(".clauses")).to_contain_text("最新")
    page.locator("nav a[href='#history']").click()
    expect(page.locator(".entry").first).to_contain_text("最新的一条")
    expect(page.locator(".entry")).to_have_count(500)
    expect(page.locator(".entry").last).to_contain_text("旧 1")
