"""Pictures of dashboards: Grafana's own components draw them in Chromium, from the answers of a Prometheus.

Grafana itself is under the AGPL; the libraries of which it is made are under Apache-2.0.
"""

from pathlib import Path
from typing import Any

from playwright.sync_api import Route

from ..alerting import Prometheus
from ..browsing import new_page
from ..cluster.paths import REPO
from ..webtools import install_packages, node

SOURCES = Path(__file__).parent / "page"
_BUILT = REPO / "build" / "dashboard-page"
_WIDTH = 1600
# The page is 14 MB of JavaScript, and may share two cores with a cluster.
_PATIENCE_MILLISECONDS = 120_000
# Nobody listens there: the page's files are handed to the browser, and it asks for nothing else.
_ADDRESS = "http://dashboard.test/"


def build() -> None:
    """Make the page that draws."""
    install_packages(SOURCES)
    node("build.mjs", _BUILT, folder=SOURCES)


def take(dashboard: dict[str, Any], prometheus: Prometheus, to: Path) -> None:
    """Write the picture of a dashboard as PNG; the page must be built.

    Raises playwright's Error, with the panel's title, for a panel that can't be drawn, says what Grafana
    would ignore, or has a query without data; AssertionError for what the browser complains of, and for a
    title that does not fit.
    """
    variables = {"datasource": "Prometheus"}
    with new_page("en-GB") as page:
        wrong = list[str]()
        page.set_default_timeout(_PATIENCE_MILLISECONDS)
        page.set_viewport_size({"width": _WIDTH, "height": 900})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.expose_function("ask", lambda path, query: _ask(prometheus, path, query))
        page.route("**/*", _serve)
        page.goto(_ADDRESS)
        page.evaluate("([dashboard, variables]) => draw(dashboard, variables)", [dashboard, variables])
        # Icons come after the first view.
        page.wait_for_load_state("networkidle")
        cut = page.eval_on_selector_all("h2", _CUT)
        assert not wrong, wrong
        assert not cut, f"titles that do not fit: {cut}"
        page.screenshot(path=to, full_page=True)


_CUT = "found => found.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"


def _ask(prometheus: Prometheus, path: str, query: dict[str, str]) -> Any:
    answer = prometheus.http.get(path, params=query)
    answer.raise_for_status()
    return answer.json()["data"]["result"]


def _serve(route: Route) -> None:
    path = route.request.url.removeprefix(_ADDRESS).partition("?")[0] or "index.html"
    file = _BUILT / path
    if file.is_file():
        route.fulfill(path=file)
    else:
        route.fulfill(status=404)
