"""The page on a real cluster, opened as docs/how-to/web-page.md tells a user to."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect, sync_playwright

from .provider import Cluster
from .test_slice import apply_sample
from .webtools import CHROMIUM, ensure_browser

pytestmark = pytest.mark.e2e


@contextmanager
def port_forward(cluster: Cluster, namespace: str, service: str) -> Iterator[str]:
    """The URL on this machine at which `kubectl port-forward` offers a service."""
    command = [*cluster.kubectl_start, "-n", namespace, "port-forward", f"service/{service}", ":7860"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found, "port-forward did not say its port"
            yield f"http://127.0.0.1:{found[1]}/"
        finally:
            process.terminate()


def test_the_page_through_port_forward(cluster: Cluster, namespace: str) -> None:
    ensure_browser()
    apply_sample(cluster, namespace)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
    with port_forward(cluster, namespace, "reviews") as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(locale="zh-CN")
        page.goto(url)
        page.locator("#live-text").fill("屏幕很好，但是电池太差")
        expect(page.locator(".clause.positive")).to_contain_text("屏幕很好", timeout=30_000)
        expect(page.locator(".clause.negative")).to_contain_text("电池太差")
        page.locator("nav a[href='#status']").click()
        expect(page.locator(".health")).to_contain_text("正常")
        browser.close()
