"""A real Chromium on the page of a real service process with the bundled model, and nothing else in reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright
from sentiment_service.settings import BUNDLED_MODEL

from e2e.cluster.paths import REPO
from e2e.webtools import CHROMIUM, ensure_browser, install_packages
from tests.service.running import Running, running

KEY = "right-key-1234567890"
ARTEFACTS = REPO / "artefacts" / "web"
# No name resolves, so that a request to anywhere else could not even start.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

expect.set_options(timeout=20_000)  # other tests share the machine
Open = Callable[..., Page]


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(BUNDLED_MODEL, tmp_path_factory.mktemp("service"), warm_up=True) as service:
        yield service


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service lies that sits behind a path and wants a key."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = folder / "keys"
    keys.write_text(f"care={KEY}\n")
    with running(BUNDLED_MODEL, folder, warm_up=True, root_path="/sentiment", api_keys_file=keys) as service:
        yield f"{str(service.http.base_url).rstrip('/')}/sentiment/"


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    ensure_browser()
    install_packages()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, site: Running) -> Iterator[Open]:
    """Opens the page; at the end nothing may have left its origin, and the console must be empty."""
    outside: list[str] = []
    complaints: list[str] = []
    with ExitStack() as stack:

        def start(
            view: str = "live",
            *,
            locale: str = "zh-CN",
            theme: str = "light",
            size: tuple[int, int] = (1280, 900),
            url: str = "",
            allow: tuple[str, ...] = (),
        ) -> Page:
            base = url or str(site.http.base_url) + "/"
            context = chromium.new_context(
                locale=locale,
                color_scheme=theme,  # type: ignore[arg-type]
                viewport={"width": size[0], "height": size[1]},
                timezone_id="Asia/Shanghai",
                accept_downloads=True,
            )
            stack.callback(context.close)
            origin = "/".join(base.split("/")[:3])

            def watch(request: Request) -> None:
                if not request.url.startswith((origin + "/", "blob:", "data:")):
                    outside.append(request.url)

            def complain(message: Any) -> None:
                if message.type in ("error", "warning") and not any(one in message.text for one in allow):
                    complaints.append(message.text)

            context.on("request", watch)
            page = context.new_page()
            page.on("console", complain)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{base}#{view}")
            page.wait_for_selector("main h1")
            return page

        yield start
    assert outside == []
    assert complaints == []


@pytest.fixture(scope="session")
def artefacts() -> Path:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    return ARTEFACTS
