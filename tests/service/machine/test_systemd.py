"""The unit, judged by systemd's own programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from sentiment_service.machine.render import Plan, Site, systemd

from tests.service.machine.tools import library, program

ROOT = Path(__file__).parents[3]
UNIT = "sentiment-service@.service"
TARGET = "sentiment-service.target"


def _analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {"LD_LIBRARY_PATH": str(library()), "PATH": os.environ["PATH"]}
    start = [program("systemd-analyze"), *words]
    return subprocess.run(start, env=environment, capture_output=True, text=True, check=False)


def _write(folder: Path) -> Path:
    plan = Plan(python=sys.executable)
    for where, text in systemd(plan, Site(upstreams=plan.upstreams)).items():
        (folder / where.name).write_text(text)
    return folder


def test_the_unit_is_sound(tmp_path: Path) -> None:
    folder = _write(tmp_path)
    done = _analyze("verify", "--man=no", folder / UNIT, folder / TARGET)
    assert done.returncode == 0, done.stderr
    assert str(folder) not in done.stderr, done.stderr


def test_its_exposure_is_what_the_how_to_says(tmp_path: Path) -> None:
    done = _analyze("security", "--offline=true", "--json=short", "--no-pager", _write(tmp_path) / UNIT)
    assert done.returncode == 0, done.stderr
    open_ones = [one for one in json.loads(done.stdout) if one["exposure"]]
    # systemd counts tenths of the weights; its summary line is in the other format alone.
    summary = _analyze("security", "--offline=true", "--no-pager", tmp_path / UNIT).stdout
    [score] = re.findall(r"Overall exposure level for .*: ([0-9.]+) (?:OK|SAFE|PERFECT)", summary)
    said = (ROOT / "docs/how-to/one-machine.md").read_text()
    assert f"exposure of {score}" in said, (score, [one["name"] for one in open_ones])
