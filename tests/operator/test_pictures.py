"""Grafana's components draw a dashboard from a real Prometheus, and what can't be drawn is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from playwright.sync_api import Error
from sentiment_operator.render.grafana import Query, Row, dashboard_model, fixed, graph, named, stat, table

from e2e.dashboards import picture
from e2e.webtools import node

from .conftest import wait_for
from .own_prometheus import own_prometheus

if TYPE_CHECKING:
    from e2e.alerting import Prometheus

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One with a target that is never up; the page is built."""
    picture.build()
    job = {"job_name": "itself", "static_configs": [{"targets": ["127.0.0.1:9"]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    with own_prometheus(config, tmp_path_factory.mktemp("prometheus")) as found:
        # A graph ends at the last whole step.
        wait_for("a scrape a step ago", lambda: found.ask("up offset 15s"), 60)
        yield found


def dashboard(**changes: Any) -> dict[str, Any]:
    """A panel of each kind; the changes are the graph's."""
    drawn = graph(
        "Up", "", "none", [Query("up", "{{job}}")], overrides=[named("itself", color=fixed("#f0f"))]
    )
    drawn["fieldConfig"]["defaults"]["custom"]["showPoints"] = "always"
    one = stat("Targets", "", "none", "count(up)")
    all_ = table("All", "", [Query("up", "up")], columns=[("job", "Job"), ("up", "Up")], sort=("Job", False))
    return dashboard_model(
        "uid", "Itself", "now-5m", [Row("", 4, [one]), Row("More", 8, [drawn | changes, all_])]
    )


def test_a_dashboard_becomes_a_picture(prometheus: Prometheus, tmp_path: Path) -> None:
    picture.take(dashboard(), prometheus, tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.width >= 1600
        graphs = drawn.convert("RGB").crop((0, drawn.height // 3, drawn.width // 2, drawn.height))
        colours = {colour for _, colour in graphs.getcolors(1 << 24) or ()}
    assert (255, 0, 255) in colours, "the line's own colour"


def asking(query: str) -> dict[str, Any]:
    """The graph's targets, with another query."""
    return {"targets": [{"refId": "A", "expr": query, "legendFormat": ""}]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "heatmap"}, "panel Up: a panel of type heatmap can't be drawn"),
        ({"fieldConfig": {"defaults": {"units": "s"}, "overrides": []}}, "panel Up: unknown in .*: units"),
        (asking("up > 5"), "panel Up: no data for up > 5"),
        (asking("up / 0"), "panel Up: NaN in up / 0"),
        (asking("up{job='$job'}"), "panel Up: nothing fills"),
        (asking("up{"), "400 Bad Request"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    prometheus: Prometheus, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Error, match=said):
        picture.take(dashboard(**changes), prometheus, tmp_path / "drawn.png")


def test_a_title_that_is_cut_off_is_said(prometheus: Prometheus, tmp_path: Path) -> None:
    title = "All that is up, " * 20
    with pytest.raises(AssertionError, match="All that is up"):
        picture.take(dashboard(title=title), prometheus, tmp_path / "drawn.png")


@pytest.mark.usefixtures("prometheus")
def test_the_sources_are_well_typed() -> None:
    node("node_modules/typescript/bin/tsc", "--noEmit", folder=picture.SOURCES)
