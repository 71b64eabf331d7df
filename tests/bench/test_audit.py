"""What the benchmark reads out of audit lines."""

import json
from pathlib import Path
from typing import Any

from bench.audit import AuditLog, parse


def line(verb: str, code: int, **about: str) -> str:
    entry: dict[str, Any] = {
        "user": {"username": "me"},
        "userAgent": "sentiment-operator/x",
        "verb": verb,
        "objectRef": about,
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:00.250000Z",
    }
    return json.dumps(entry)


def test_an_apply_that_is_answered_with_201_creates() -> None:
    made, changed, read = parse(
        [
            line("patch", 201, resource="services", namespace="shop", name="reviews"),
            line("patch", 200, resource="sentimentservices", subresource="status"),
            line("watch", 200, resource="pods"),
        ]
    )
    assert made.creates
    assert made.done - made.received == 0.25
    assert changed.writes
    assert not changed.creates
    assert changed.resource == "sentimentservices/status"
    assert not read.writes


def test_reading_goes_on_after_the_last_whole_line(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    first, second = line("get", 200, resource="pods"), line("update", 200, resource="leases")
    file.write_text(f"{first}\n{second[:20]}")
    log = AuditLog(file)
    assert [call.verb for call in log.new()] == ["get"]
    file.write_text(f"{first}\n{second}\n")
    [later] = log.new()
    assert later.of_lease
