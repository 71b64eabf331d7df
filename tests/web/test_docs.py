"""The API's documentation: every operation can be tried from it, with nothing from elsewhere."""

from __future__ import annotations

import json

from playwright.sync_api import Page, expect

from tests.web.conftest import KEY, Open


def _send(page: Page, method: str, path: str, body: str = "") -> str:
    """Try an operation; what the page then shows of the answer."""
    operation = page.locator("details").filter(has=page.get_by_text(f"{method} {path}", exact=True))
    operation.locator("summary").click()
    if body:
        operation.locator("textarea").fill(body)
    operation.get_by_role("button", name="Send").click()
    told = operation.get_by_role("status")
    expect(told).to_be_visible()
    return told.inner_text()


def test_an_operation_is_tried_with_its_example(open_page: Open) -> None:
    page = open_page(allow=("400",))
    page.goto(page.url.split("#")[0] + "docs")
    status, _, answer = _send(page, "POST", "/api/v1/sentiment/analyze").partition("\n\n")
    assert status == "200"
    assert json.loads(answer)["data"]["sentiment"] == "积极"
    status, _, answer = _send(page, "POST", "/api/v1/sentiment/analyze/batch", "oops").partition("\n\n")
    assert status == "400"
    assert json.loads(answer)["error"]["code"] == "invalid_json"
    assert "structbert_requests_total" in _send(page, "GET", "/metrics")


def test_it_sends_the_key_behind_a_path(open_page: Open, guarded: str) -> None:
    page = open_page(url=guarded, allow=("401",))
    page.goto(f"{guarded}docs")
    page.get_by_label("API key").fill(KEY)
    assert _send(page, "GET", "/api/v1/info").startswith("200")
