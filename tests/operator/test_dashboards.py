"""Grafana's own schema reads every dashboard that the product makes, strictly, and nothing of it is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sentiment_operator.render.dashboard import model

from e2e.cluster.errors import ClusterError
from e2e.compose.files import FOLDER
from e2e.dashboards import strictly_read

from .conftest import ROOT
from .objects import OWNER

CHART = ROOT / "charts/sentiment-operator/files/dashboard.json"
DASHBOARDS = {
    "of a SentimentService": json.dumps(model(OWNER)),
    "of the operator": CHART.read_text(),
    "of Docker Compose": (FOLDER / "grafana/sentiment.json").read_text(),
}


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where what we wrote is gone or another; what the schema adds is its own affair."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            yield from differences(value, theirs.get(name), f"{path}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield path
        for at, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            yield from differences(one, other, f"{path}/{at}")
    elif ours != theirs and ours != []:
        yield path


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafanas_schema_reads_it(name: str) -> None:
    ours = DASHBOARDS[name]
    theirs = json.loads(strictly_read(ours))
    assert list(differences(json.loads(ours), theirs)) == []


@pytest.mark.parametrize(
    ("panel", "said"),
    [
        ({"kind": "graph"}, "unexpected field"),
        ({"gridPos": {"x": "left", "y": 0, "w": 8, "h": 8}}, "cannot unmarshal"),
        ({"options": {"legend": {"place": "bottom"}}}, "unexpected field"),
    ],
)
def test_it_would_say_so(panel: dict[str, Any], said: str) -> None:
    broken = json.loads(DASHBOARDS["of a SentimentService"])
    broken["panels"][0] |= panel
    with pytest.raises(ClusterError, match=said):
        strictly_read(json.dumps(broken))


def test_it_would_say_what_is_lost() -> None:
    broken = json.loads(DASHBOARDS["of a SentimentService"])
    broken["panels"][0]["fieldConfig"]["defaults"]["units"] = "s"
    theirs = json.loads(strictly_read(json.dumps(broken)))
    assert list(differences(broken, theirs)) == ["/panels/0/fieldConfig/defaults/units"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_reader_is_told_what_a_panel_shows(name: str) -> None:
    panels = json.loads(DASHBOARDS[name])["panels"]
    assert [one["title"] for one in panels if not one.get("description")] == []
    assert len({one["id"] for one in panels}) == len(panels)
    cells = [(one["gridPos"]["x"] + across, one["gridPos"]["y"] + down) for one in panels
             for across in range(one["gridPos"]["w"]) for down in range(one["gridPos"]["h"])]  # fmt: skip
    assert len(set(cells)) == len(cells), "panels lie on one another"
    assert max(across for across, _ in cells) < 24, "Grafana has 24 columns"
