"""The web page as a browser meets it: first paint, blocking, transfer; and what a file costs others."""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from sentiment_service.settings import BUNDLED_MODEL

from bench.measure import Spread
from bench.progress import Steps
from bench.report import verdict
from bench.targets import ANALYZE, Server, ours
from e2e.webtools import CHROMIUM, ensure_browser
from tests.web.files import review_csv

TIMES = 5
ROWS = 5000
_BYTES, _READY_MS = 300_000, 1000
# What Lighthouse calls first contentful paint and total blocking time, and when the page can be typed in.
_WATCH = """
window.blocked = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.blocked += Math.max(0, one.duration - 50);
}).observe({ type: "longtask", buffered: true });
new MutationObserver((_, watch) => {
  if (document.getElementById("live-text")) { window.ready = performance.now(); watch.disconnect(); }
}).observe(document, { childList: true, subtree: true });
"""
_READ = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
  ready: window.ready,
  blocked: window.blocked,
  bytes: [...performance.getEntriesByType("resource"), ...performance.getEntriesByType("navigation")]
    .reduce((sum, one) => sum + one.transferSize, 0),
})"""


def _visit(browser: Browser, url: str) -> dict[str, float]:
    """One first visit, with nothing cached."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto(url)
    page.wait_for_selector("#live-text")
    found: dict[str, float] = page.evaluate(_READ)
    while not found.get("paint"):  # it may come a frame later; the policy forbids to wait inside the page
        page.wait_for_timeout(20)
        found = page.evaluate(_READ)
    context.close()
    return found


def _ask(connection: http.client.HTTPConnection, number: int) -> float:
    """Seconds of one interactive request."""
    body = json.dumps({"text": f"服务很好，第{number}次"})
    begin = time.perf_counter()
    connection.request("POST", ANALYZE, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{ANALYZE} answered {answer.status}")
    return time.perf_counter() - begin


def _file(page: Page, connection: http.client.HTTPConnection, folder: Path) -> tuple[float, list[float]]:
    """Rows a second of a file, and the seconds of interactive requests meanwhile."""
    page.locator("#file").set_input_files(review_csv(folder / "reviews.csv", ROWS))
    page.locator("form button[type=submit]").click()
    page.wait_for_selector(".progress[data-phase=running]")
    begin = time.perf_counter()
    seconds: list[float] = []
    while page.locator(".progress[data-phase=done]").count() == 0:
        seconds += [_ask(connection, len(seconds) + number) for number in range(5)]
    return ROWS / (time.perf_counter() - begin), seconds


def measure(console: Console) -> dict[str, str]:
    """Name → figure, with the bar where there is one."""
    ensure_browser()
    with Steps("web", 2, console) as steps, sync_playwright() as playwright:
        server = Server(ours(BUNDLED_MODEL, "web"))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            server.wait_for_port()
            url = f"http://127.0.0.1:{server.port}/"
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            alone = [_ask(connection, number) for number in range(200)]
            visits = [_visit(browser, url) for _ in range(TIMES)]
            steps.done(f"{len(visits)} first visits")
            page = browser.new_page()
            page.goto(f"{url}#batch")
            with tempfile.TemporaryDirectory() as folder:
                rate, busy = _file(page, connection, Path(folder))
            steps.done(f"{rate:.0f} rows/s")
        finally:
            browser.close()
            server.stop()
    return _figures(visits, rate, alone, busy)


def _figures(
    visits: list[dict[str, Any]], rate: float, alone: list[float], busy: list[float]
) -> dict[str, str]:
    size = visits[0]["bytes"]
    ready = Spread.of([visit["ready"] for visit in visits])
    before, meanwhile = Spread.of(alone).median, Spread.of(busy).median
    return {
        "first view, bytes on the wire": f"{size:,.0f}, {verdict(size, _BYTES, least=False)}",
        "first contentful paint, ms": str(Spread.of([visit["paint"] for visit in visits])),
        "ready for typing, ms": f"{ready}, {verdict(ready.median, _READY_MS, least=False)}",
        "total blocking time, ms": str(Spread.of([visit["blocked"] for visit in visits])),
        f"a file of {ROWS:,} rows through the page, rows/s": f"{rate:.0f}",
        "an interactive request alone, ms (median)": f"{before * 1000:.1f}",
        "the same while the file runs, ms (median)": f"{meanwhile * 1000:.1f} ({meanwhile / before:.1f} ×)",
    }
