"""The page on a real cluster, opened as docs/how-to/web-page.md tells a user to."""

import pytest
from playwright.sync_api import expect

from .browsing import new_page, port_forward
from .provider import Cluster
from .test_slice import apply_sample

pytestmark = pytest.mark.e2e


def test_the_page_through_port_forward(cluster: Cluster, namespace: str) -> None:
    apply_sample(cluster, namespace)
    with port_forward(cluster, namespace, "reviews", 7860) as port, new_page("zh-CN") as page:
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator("#live-text").fill("屏幕很好，但是电池太差")
        expect(page.locator(".clause.positive")).to_contain_text("屏幕很好", timeout=30_000)
        expect(page.locator(".clause.negative")).to_contain_text("电池太差")
        page.locator("nav a[href='#status']").click()
        expect(page.locator(".health")).to_contain_text("正常")
