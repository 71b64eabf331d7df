"""The web page as a browser meets it: first paint, blocking, transfer; and what a file costs others."""

from __future__ import annotations

import http.client
import itertools
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from sentiment_service.api.stream import ANALYZE_STREAM
from sentiment_service.settings import BUNDLED_MODEL

from bench.measure import Spread, figure, ratios
from bench.progress import Steps
from bench.report import verdict
from bench.targets import ANALYZE, Server, ours
from e2e.webtools import CHROMIUM, ensure_browser
from tests.web.files import review_csv, reviews

TIMES = 5
ROWS = 5000
PIECE, LANES = 500, 2  # as the page sends a file: web/src/batch/run.ts
ROUNDS, ASKED = 5, 100
_BYTES, _READY_MS, _SLOWER = 300_000, 1000, 4
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


def _stream(port: int, rows: list[str], ended: threading.Event) -> None:
    """Send pieces of a file as the page does, until told to end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/x-ndjson"}
    for begin in itertools.cycle(range(0, len(rows), PIECE)):
        if ended.is_set():
            return
        lines = [json.dumps({"text": row}, ensure_ascii=False) for row in rows[begin : begin + PIECE]]
        connection.request("POST", ANALYZE_STREAM, "\n".join(lines).encode(), headers)
        connection.getresponse().read()


def _beside_a_stream(port: int, connection: http.client.HTTPConnection) -> list[float]:
    """The seconds of interactive requests while a program, without a browser, streams a file."""
    rows = [text for _, _, text in reviews(50 * PIECE)]
    ended = threading.Event()
    lanes = [threading.Thread(target=_stream, args=(port, rows[lane::LANES], ended)) for lane in range(LANES)]
    for lane in lanes:
        lane.start()
    time.sleep(1)
    seconds = [_ask(connection, -number) for number in range(ASKED)]
    ended.set()
    for lane in lanes:
        lane.join()
    return seconds


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
            _ask(connection, 0)
            alone, streamed = [], []
            for _ in range(ROUNDS):
                alone.append([_ask(connection, number) for number in range(ASKED)])
                streamed.append(_beside_a_stream(server.port, connection))
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
    return _figures(visits, rate, alone, streamed, busy)


def _figures(
    visits: list[dict[str, Any]],
    rate: float,
    alone: list[list[float]],
    streamed: list[list[float]],
    busy: list[float],
) -> dict[str, str]:
    size = visits[0]["bytes"]
    ready = Spread.of([visit["ready"] for visit in visits])
    before = [Spread.of(seconds).median * 1000 for seconds in alone]
    beside = [Spread.of(seconds).median * 1000 for seconds in streamed]
    times = ratios(beside, before)
    page = Spread.of(busy).median * 1000
    return {
        "first view, bytes on the wire": f"{size:,.0f}, {verdict(size, _BYTES, least=False)}",
        "first contentful paint, ms": str(Spread.of([visit["paint"] for visit in visits])),
        "ready for typing, ms": f"{ready}, {verdict(ready.median, _READY_MS, least=False)}",
        "total blocking time, ms": str(Spread.of([visit["blocked"] for visit in visits])),
        f"a file of {ROWS:,} rows through the page, rows/s": f"{rate:.0f}",
        "an interactive request alone, ms (median)": str(Spread.of(before)),
        "the same while a program streams a file, ms (median)": f"{Spread.of(beside)}: {times} ×, "
        + verdict(times.median, _SLOWER, least=False),
        "the same while a browser on these cores sends a file, ms (median)": figure(page),
    }
