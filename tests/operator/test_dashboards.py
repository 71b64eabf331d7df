"""Grafana's own schema reads every dashboard that the product makes, strictly, and nothing of it is lost."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.render.dashboard import model

from e2e.cluster.debian import unpacked
from e2e.cluster.errors import ClusterError
from e2e.compose.files import FOLDER
from e2e.dashboards import fleet, strictly_read

from .conftest import ROOT
from .objects import OWNER

DASHBOARDS = {
    "of a SentimentService": json.dumps(model(OWNER, SentimentServiceSpec.model_validate({}))),
    "of the fleet and the operator": fleet.FILE.read_text(),
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


def test_the_charts_is_current() -> None:
    [(path, text)] = fleet.generated().items()
    assert path.read_text() == text, "run `make generate`"


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
    shown = [one for one in panels if one["type"] != "row"]
    assert [one["title"] for one in shown if not one["description"]] == []
    assert panels[0]["type"] == "stat", "what to look at first stands first"
    assert len({one["id"] for one in panels}) == len(panels)
    cells = [(one["gridPos"]["x"] + across, one["gridPos"]["y"] + down) for one in panels
             for across in range(one["gridPos"]["w"]) for down in range(one["gridPos"]["h"])]  # fmt: skip
    assert len(set(cells)) == len(cells), "panels lie on one another"
    assert max(across for across, _ in cells) < 24, "Grafana has 24 columns"


def test_what_is_not_the_default_is_drawn_where_alerts_fire() -> None:
    thresholds = {"p95LatencyMilliseconds": 300, "memory": "1G", "cpuPercent": 50, "successRatePercent": "95"}
    spec = SentimentServiceSpec.model_validate(
        {
            "monitoring": {"prometheusRule": {"thresholds": thresholds, "objectivePercent": "99"}},
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
        }
    )
    panels = model(OWNER, spec)["panels"]
    drawn = {
        (one["type"], one["title"]): [
            step["value"] for step in one["fieldConfig"]["defaults"]["thresholds"]["steps"]
        ]
        for one in panels
        if "thresholds" in one.get("fieldConfig", {}).get("defaults", {})
    }
    assert drawn["timeseries", "Latency"] == [None, 0.3]
    assert drawn["timeseries", "Memory"] == [None, 1e9]
    assert drawn["timeseries", "CPU"] == [None, 1.0]
    assert drawn["timeseries", "Failed requests (429, 5xx)"] == [None, 0.05]
    assert drawn["stat", "Failed requests"] == [None, 0.01, 0.05]
    assert drawn["stat", "Latency (P95)"] == [None, 0.3]


def test_what_draws_them_is_free() -> None:
    """Of Grafana only what is under Apache-2.0: Grafana itself is under the AGPL."""
    lock = json.loads((ROOT / "e2e/dashboards/page/package-lock.json").read_text())
    licences = {name: one["license"] for name, one in lock["packages"].items() if "license" in one}
    assert licences["node_modules/@grafana/ui"] == "Apache-2.0"
    assert [name for name, licence in licences.items() if "GPL" in licence] == []
    assert "registry" not in json.dumps(lock)


def test_nothing_asked_is_no_value_instead_of_nan(tmp_path: Path) -> None:
    """A service that nobody asks: Grafana would show NaN as its latency, and no line at all."""
    buckets = "structbert_request_latency_seconds", "structbert_queue_seconds", "structbert_engine_seconds"
    where = 'namespace="shop",pod="reviews-7d9f4b5c6-x2x9k"'
    names = [f'{name}_bucket{{{where},le="{le}"}}' for name in buckets for le in ("1", "+Inf")]
    names += [f"structbert_batch_size_{part}{{{where}}}" for part in ("sum", "count")]
    panels = model(OWNER, SentimentServiceSpec.model_validate({}))["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    idle = [query for query in asked if "_bucket" in query or "batch_size" in query]
    assert len(idle) == 7
    case = {
        "interval": "30s",
        "input_series": [{"series": name, "values": "5x40"} for name in names],
        "promql_expr_test": [{"expr": query, "eval_time": "15m", "exp_samples": []} for query in idle],
    }
    file = tmp_path / "idle.yaml"
    file.write_text(json.dumps({"rule_files": [], "tests": [case]}))
    command = [str(unpacked("prometheus") / "promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
