"""The results of every part that was ever measured, in a file of JSON."""

from __future__ import annotations

import datetime
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import load_average, machine
from bench.paths import ROOT


def record(file: Path, part: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measure a part and keep what it found, with when and where; all results."""
    before, begin = load_average(), time.monotonic()
    found = measure()
    results: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    results[part] = {
        "part": part,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": machine(),
        "load_before": before,
        "load_after": load_average(),
        "seconds": round(time.monotonic() - begin, 1),
        **found,
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return results


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"
