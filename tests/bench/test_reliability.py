"""From requests and results to what docs/reliability.md says."""

import random
import subprocess
from pathlib import Path

import promql_parser
import pytest

from bench.reliability import chaos, report, runbooks, timeline
from bench.reliability.alerts import CAUSES, RUNBOOKS
from bench.reliability.backfill import openmetrics
from bench.reliability.faults import FAULTS
from bench.reliability.timeline import Cost, Episode, explained
from e2e.cluster.debian import unpacked
from e2e.load import Request

BUSY = '503 b\'{"success":false,"error":{"code":"engine_failed","message":"signal SIGKILL"}}\''
RESET = "ConnectionResetError(104, 'Connection reset by peer')"


def test_a_fault_costs_what_came_between_right_answers() -> None:
    requests = [
        Request(-3.0, -2.9, RESET),  # long before it
        Request(0.0, 0.1, ""),
        Request(0.9, 1.4, BUSY),  # under way at the fault
        Request(1.1, 1.2, RESET),
        Request(0.5, 2.1, ""),  # right, but asked before it
        Request(2.2, 3.5, ""),
        Request(3.5, 3.6, ""),
    ]
    assert timeline.cost(requests, 1.0) == Cost(
        sent=5,
        lost=2,
        first_right=2.5,
        silence=2.0,
        said={"503 engine_failed": 1, "ConnectionResetError": 1},
    )


def test_right_again_needs_answers_to_what_was_asked_after_the_fault() -> None:
    rights = [Request(float(at), at + 0.1, "") for at in range(5)]
    assert timeline.right_since(rights, 2.0, 3)
    assert not timeline.right_since(rights, 2.5, 3)
    assert not timeline.right_since([*rights, Request(6, 6.1, RESET)], 0, 3)
    assert not timeline.right_since(rights, 0, 6)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (BUSY, "503 engine_failed"),
        (RESET, "ConnectionResetError"),
        ("502 b'<html>'", "502"),
        ("OSError(113, 'No route to host')", "No route to host"),
    ],
)
def test_failures_are_told_apart_by_their_kind(wrong: str, kind: str) -> None:
    assert timeline.kind(wrong) == kind


@pytest.mark.parametrize("alert", CAUSES)
def test_each_alert_of_the_table_has_steps_that_can_be_tried(alert: str) -> None:
    told = runbooks.steps(RUNBOOKS.read_text(), f"SentimentService{alert}", "shop", "reviews")
    assert "kubectl -n shop get ssvc reviews -o wide" in told.commands
    assert len(told.commands + told.queries) > 2
    for query in told.queries:
        promql_parser.parse(query)


def test_promtool_takes_the_past(tmp_path: Path) -> None:
    text = openmetrics("asked", {"pod": "a"}, 1_700_000_000, 1_700_000_180, 60)
    assert text.count("asked_total{") == 3
    (tmp_path / "past.txt").write_text(text)
    promtool = [str(unpacked("prometheus") / "promtool"), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run([*promtool, tmp_path / "past.txt", tmp_path / "blocks"], check=True, capture_output=True)
    assert list((tmp_path / "blocks").glob("*/meta.json"))


def test_tables_have_a_row_for_each_alert_and_service() -> None:
    seen = {"firing": 61, "resolved": 5, "steps": 4, "in_vain": ["kubectl get nothing"]}
    text, _ = report.alerts({"alerts": dict.fromkeys(CAUSES, seen)})
    assert text.count("| 61 |") == text.count("| 3 of 4 |") == len(CAUSES) == 6
    cost = Cost(100, 1, 0.5, 0.25, {"503 engine_failed": 1})._asdict()
    facts = {"date": "2026-11-25 17:33 UTC", "load_before": 26.9, "seconds": 1.0}
    faults = {
        fault.name: {**facts, "rows": [{"service": one, **cost, "whole": 2.0} for one in fault.services]}
        for fault in FAULTS
    }
    text, _ = report.healing(report.by_section(faults)["healing"])
    assert text.count("1 of 100") == sum(len(fault.services) for fault in FAULTS)
    assert "503 engine_failed (1)" in text
    assert "| 2026-11-25, 26.9 |" in text
    assert all(f"ONLY={fault.name}`" in text for fault in FAULTS)
    faults["oom"]["rows"] = [{"service": "one", "failed": "no such process"}]
    assert "**not measured**: no such process" in report.healing(report.by_section(faults)["healing"])[0]


def test_a_lost_request_belongs_to_the_latest_fault_during_which_it_was_under_way() -> None:
    requests = [
        Request(0.0, 0.1, RESET),
        Request(0.9, 1.1, BUSY),  # under way at the first fault
        Request(2.0, 2.1, ""),
        Request(2.9, 5.5, RESET),  # from the first into the second
        Request(6.2, 6.3, RESET),
    ]
    episodes = [Episode("oom", 1.0, 3.0, ""), Episode("leak", 5.0, 6.0, "")]
    assert explained(requests, episodes) == (
        [{"503 engine_failed": 1}, {"ConnectionResetError": 1}],
        [requests[0], requests[-1]],
    )


def test_chaos_has_every_fault_once_spread_over_the_run_and_the_same_plan_for_a_seed() -> None:
    first, second = (chaos.plan(1800, random.Random(7)) for _ in range(2))
    assert first == second
    assert {fault for _, fault in first} == set(chaos.CHAOTIC)
    assert len(first) == len(chaos.CHAOTIC)
    share = 1800 / len(first)
    assert [int(at / share) for at, _ in first] == list(range(len(first)))


def test_chaos_says_whether_enough_was_right_and_what_nothing_explains() -> None:
    found = {
        "minutes": 30.0,
        "seed": 1,
        "sent": 10_000,
        "lost": 11,
        "milliseconds": {"0.5": 12.0, "0.95": 40.0, "0.99": 100.0, "1": 3000.0},
        "episodes": [
            {"fault": "oom", "at": 9, "seconds": 8.5, "failed": "", "said": {"503 engine_failed": 10}},
            {"fault": "leak", "at": 99, "seconds": 1, "failed": "exec failed:\n a | b", "said": {}},
        ],
        "unexplained": ["3.0 s: ConnectionResetError"],
    }
    text, _ = report.chaos(found)
    assert "9989 of 10000: 99.89 %, **not met** (≥ 99.9)" in text
    assert "| 3.0 s: ConnectionResetError |" in text
    assert "| 503 engine_failed (10) | 8.50 |" in text
    assert "| **not seen**: exec failed: a / b |" in text
