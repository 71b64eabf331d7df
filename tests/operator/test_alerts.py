"""Each alert fires, stays silent at its edge, and clears: promtool runs the rules as rendered."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sentiment_operator.api.v1alpha1 import SentimentServiceSpec
from sentiment_operator.render.prometheus_rule import groups

from e2e.cluster.debian import unpacked

from .conftest import ROOT
from .objects import OWNER

SPEC = {
    "monitoring": {"prometheusRule": {}},
    "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2", "memory": "2Gi"}},
}
GROUPS = groups(OWNER, SentimentServiceSpec.model_validate(SPEC))
_SCALING = {"type": "KEDA", "minReplicas": 0, "activationQuery": "rate(seen_outside_total[2m])"}
TO_ZERO = groups(OWNER, SentimentServiceSpec.model_validate({**SPEC, "autoscaling": _SCALING}))
POD, OTHER_POD = "reviews-7d9f4b5c6-x2x9k", "reviews-7d9f4b5c6-abcde"
HOURLY = (60, "1h")
DAYS = (2, "30m")


def sample(metric: str, values: str, pod: str = POD, **labels: str) -> dict[str, str]:
    """A series of one pod; values in promtool's notation."""
    chosen = {"namespace": "shop", "pod": pod, **labels}
    named = ",".join(f'{name}="{value}"' for name, value in chosen.items())
    return {"series": f"{metric}{{{named}}}", "values": values}


def requests(good: str, failed: str = "") -> list[dict[str, str]]:
    made = [sample("structbert_requests_total", good, status="200", endpoint="/a")]
    if failed:
        made.append(sample("structbert_requests_total", failed, status="503", endpoint="/a"))
    return made


def latencies(quick: str, slow: str, every: str) -> list[dict[str, str]]:
    """Cumulative counts of requests up to 0.5 s, 1 s, and all."""
    bounds = {"0.2": "0x99", "0.5": quick, "1.0": slow, "+Inf": every}
    return [
        sample("structbert_request_latency_seconds_bucket", values, le=bound, endpoint="/a")
        for bound, values in bounds.items()
    ]


def cpu(seconds_a_minute: int | float) -> list[dict[str, str]]:
    values = f"0+{seconds_a_minute}x20 {20 * seconds_a_minute}+0x20"
    return [sample("container_cpu_usage_seconds_total", values, container="server")]


@dataclass
class Case:
    """series → at which time the alert fires (True), and at which it does not. Times in values."""

    alert: str
    name: str
    series: list[dict[str, str]]
    fires: dict[float, bool]
    severity: str = ""
    pace: tuple[int, str] = (1, "30s")  # minutes from value to value, time between evaluations
    every: list[dict[str, Any]] = field(default_factory=lambda: GROUPS)

    def promtool(self) -> dict[str, Any]:
        chosen = f'alertname="SentimentService{self.alert}",alertstate="firing"'
        if self.severity:
            chosen += f',severity="{self.severity}"'
        step, evaluated = self.pace
        checks = [
            {
                "expr": f"count(ALERTS{{{chosen}}}) or vector(0)",
                "eval_time": f"{round(60 * step * time)}s",
                "exp_samples": [{"labels": "{}", "value": int(fires)}],
            }
            for time, fires in self.fires.items()
        ]
        test = {"interval": f"{step}m", "input_series": self.series, "promql_expr_test": checks}
        return {"rule_files": ["rules.yml"], "evaluation_interval": evaluated, "tests": [test]}

    def groups(self) -> list[dict[str, Any]]:
        """Those that decide whether the alert fires."""
        named = [
            group
            for group in self.every
            if any(rule.get("alert") == f"SentimentService{self.alert}" for rule in group["rules"])
        ]
        return [self.every[-1], *named] if self.alert == "Failing" else named


CASES = [
    Case(
        "Unavailable",
        "a minute after /health fails, until it answers again",
        [sample("structbert_healthy", "1x9 0x9 1x9")],
        {9.5: False, 10.5: False, 11.5: True, 19.5: True, 20.5: False},
    ),
    Case(
        "Unavailable",
        "not while one of two pods answers",
        [sample("structbert_healthy", "0x20"), sample("structbert_healthy", "1x20", OTHER_POD)],
        {15: False},
    ),
    Case(
        "Unavailable",
        "when the pods are gone",
        [sample("structbert_healthy", "1x3 stale")],
        {3: False, 6: True},
    ),
    Case("Unavailable", "when there never was one", [], {0.5: False, 2: True}),
    Case(
        "Unavailable",
        "scaled to zero, not until somebody asks",
        [sample("structbert_healthy", "1x3 stale"), sample("seen_outside_total", "0x9 1+1x10", "traefik-1")],
        {6: False, 9: False, 12: True},
        every=TO_ZERO,
    ),
    Case(
        "Unavailable",
        "may be scaled to zero, and a pod is there that does not answer",
        [sample("up", "1x9"), sample("structbert_healthy", "1x3 0x5")],
        {3: False, 6: True},
        every=TO_ZERO,
    ),
    Case("Slow", "not at 500 ms", latencies("0+95x30", "0+100x30", "0+100x30"), {30: False}),
    Case(
        "Slow",
        "after five minutes above, until it is quick again",
        latencies("0+94x15 1410+100x20", "0+100x35", "0+100x35"),
        {5: False, 7: True, 15: True, 21: False},
    ),
    Case(
        "MemoryHigh",
        "not at the limit",
        [sample("structbert_memory_usage_bytes", "1500000000x9")],
        {9: False},
    ),
    Case(
        "MemoryHigh",
        "after a minute above, until it is below",
        [sample("structbert_memory_usage_bytes", "1500000001x5 1400000000x5")],
        {0: False, 1: True, 5: True, 6: False},
    ),
    Case("CPUHigh", "not at 80 % of two cores", cpu(96), {20: False}),
    Case("CPUHigh", "after five minutes above", cpu(97), {5: False, 11: True, 20: True, 26: False}),
    Case("Failing", "not at 1 %", requests("0+99x30", "0+1x30"), {30: False}),
    Case(
        "Failing",
        "after five minutes above 1 %",
        requests("0+98x35", "0+2x15 30+0x20"),
        {5: False, 8: True, 15: True, 22: False},
    ),
    Case(
        "Failing",
        "not by what callers did wrong",
        [*requests("0+50x20"), sample("structbert_requests_total", "0+50x20", status="422", endpoint="/a")],
        {20: False},
    ),
    Case(
        "TrafficDropped",
        "not at half of the day a week ago",
        requests("0+600x192 115200+300x24"),
        {216: False},
        pace=HOURLY,
    ),
    Case(
        "TrafficDropped",
        "below half of the day a week ago, whatever yesterday was, until it is as before",
        requests("0+600x168 100800+240x48 112320+600x48"),
        {168: False, 194: True, 216: True, 241: False},
        pace=HOURLY,
    ),
    Case(
        "TrafficDropped",
        "below half of yesterday, while there is no week of data",
        requests("0+600x48 28800+240x24"),
        {48: False, 72: True},
        pace=HOURLY,
    ),
    Case(
        "TrafficDropped", "not on a short history", requests("0+600x24 14400+60x23"), {47: False}, pace=HOURLY
    ),
    Case("TrafficDropped", "not on few requests", requests("0+3x48 144+0x24"), {72: False}, pace=HOURLY),
    Case(
        "TrafficDropped",
        "when there is no request at all any more",
        requests("0+600x48 stale"),
        {48: False, 74: True},
        pace=HOURLY,
    ),
    Case("BudgetBurning", "not below 6 times", requests("0+9941x90", "0+59x90"), {90: False}, "critical"),
    Case(
        "BudgetBurning",
        "above 14.4 times, until half an hour is good",
        requests("0+985x140", "0+15x90 1350+0x50"),
        {1: False, 60: True, 90: True, 97: True, 110: False},
        "critical",
    ),
    Case(
        "BudgetBurning",
        "as a warning when 0.2 % fail for days",
        requests("0+1996x2160", "0+4x2160"),
        {2160: True},
        "warning",
        pace=DAYS,
    ),
    Case(
        "BudgetBurning",
        "not so that it wakes somebody when 0.2 % fail for days",
        requests("0+1996x2160", "0+4x2160"),
        {2160: False},
        "critical",
        pace=DAYS,
    ),
    Case(
        "BudgetBurning",
        "not within the objective",
        requests("0+9991x2160", "0+9x2160"),
        {2160: False},
        "warning",
        pace=DAYS,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.name}")
def test_an_alert_fires(case: Case, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": case.groups()}))
    file = tmp_path / "test.yml"
    file.write_text(json.dumps(case.promtool()))
    command = [str(unpacked("prometheus") / "promtool"), "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_state_goes_stale_between_evaluations() -> None:
    """After 5 minutes a sample counts as gone, and from those of an hour a restarted Prometheus goes on."""
    assert {group["interval"] for group in GROUPS} <= {"30s", "1m", "5m"}


def test_each_alert_is_tested_and_has_its_steps() -> None:
    alerts = {rule["alert"] for group in GROUPS for rule in group["rules"] if "alert" in rule}
    assert alerts == {f"SentimentService{case.alert}" for case in CASES}
    runbooks = (ROOT / "docs/runbooks.md").read_text()
    for alert in alerts:
        assert f"\n## {alert}\n" in runbooks
